"""The door to libbpf: the loaded library, its errors, and what it says while it works."""

from __future__ import annotations

import errno
import mmap
import os
import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from connscope.errors import FailedError, KernelError, NotPermittedError, NotSupportedError
from connscope.kernel._libbpf_abi import ffi
from connscope.kernel.host.capabilities import missing_capabilities
from connscope.kernel.host.lockdown import read_lockdown
from connscope.kernel.host.namespaces import in_initial_user_namespace

__all__ = ("check", "error_from", "ffi", "library", "messages", "take_pointer")

SONAME = "libbpf.so.1"
BPF_CAPABILITIES = ("CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN")
ENOTSUPP = 524  # the kernel's own, not in errno.h
LIBBPF_ERRORS = 4000  # from here on libbpf's own, enum libbpf_errno
WARN = 0  # enum libbpf_print_level
# A failed program's verifier log arrives as one message of up to 16 MiB, its verdict at the end.
MESSAGE_BYTES = (16 << 20) + mmap.PAGESIZE

# The verifier's verdict on what this kernel, or its lockdown, does not offer: a helper, a kfunc, a
# field of a kernel structure.
LACKING = (
    "invalid func",
    "unknown func",
    "program of this type cannot use helper",
    "calling kernel function",
    "failed to resolve CO-RE relocation",
)

_lock = threading.RLock()
_messages: list[str] = []


@cache
def library(soname: str = SONAME) -> Any:
    """Loads libbpf once.

    Args:
        soname: what the dynamic linker looks for.

    Raises:
        NotSupportedError: there is no libbpf 1.x; the message names the package.
    """
    try:
        lib = ffi.dlopen(soname)
    except OSError as error:
        raise NotSupportedError(
            "libbpf",
            f"{soname} not found: install it with `apt-get install libbpf1` (Debian, Ubuntu), "
            "`dnf install libbpf` (Fedora) or `apk add libbpf` (Alpine)",
        ) from error
    lib.libbpf_set_print(_print)
    return lib


def _keep_message(level: int, template: Any, arguments: Any) -> int:
    if level != WARN:
        return 0
    # Anonymous memory costs only what is written of it.
    text = mmap.mmap(-1, MESSAGE_BYTES)
    length = library().vsnprintf(ffi.from_buffer(text), MESSAGE_BYTES, template, arguments)
    _messages.append(text[: min(length, MESSAGE_BYTES - 1)].decode(errors="replace"))
    return 0


_print = ffi.callback("libbpf_print_fn_t", _keep_message)


@contextmanager
def messages() -> Iterator[list[str]]:
    """Collects what libbpf warns of meanwhile; one at a time in a process."""
    with _lock:
        _messages.clear()
        yield _messages


def check(
    result: int, feature: str, log: str = "", wanted: tuple[str, ...] = BPF_CAPABILITIES
) -> int:
    """Passes a result >= 0 on.

    Raises:
        KernelError: the result is a negative errno; see `error_from`.
    """
    if result < 0:
        raise error_from(-result, feature, log, wanted)
    return result


def take_pointer(pointer: Any, feature: str, log: str = "") -> Any:
    """Passes a pointer on.

    Raises:
        KernelError: it is NULL and errno says why; see `error_from`.
    """
    if pointer == ffi.NULL:
        raise error_from(ffi.errno, feature, log)
    return pointer


def _most_files() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def error_from(
    number: int, feature: str, log: str = "", wanted: tuple[str, ...] = BPF_CAPABILITIES
) -> KernelError:
    """The error that an errno and libbpf's words amount to: supported, permitted or failed.

    Args:
        number: the errno, positive.
        feature: what was asked for, in words.
        log: what libbpf and the verifier said.
        wanted: the capabilities that the feature needs.
    """
    name, verdict = errno.errorcode.get(number, str(number)), _verdict(log)
    if number in (errno.EPERM, errno.EACCES) and (refusal := _refusal(wanted, bool(verdict))):
        return NotPermittedError(feature, *refusal)
    if number == errno.EPERM:
        lockdown = read_lockdown() or "unknown"
        reason = f"the kernel refuses it (EPERM); every capability is there, lockdown is {lockdown}"
        return NotPermittedError(feature, reason)
    if any(words in verdict for words in LACKING):
        if "func" in verdict and read_lockdown() == "confidentiality":
            return NotPermittedError(feature, f"lockdown is confidentiality: {verdict}")
        return NotSupportedError(feature, verdict)
    if number in (errno.EOPNOTSUPP, errno.ENOSYS, errno.ESRCH, errno.ENOENT, ENOTSUPP):
        return NotSupportedError(feature, _first(log) or f"this kernel has no such thing ({name})")
    reason = f"{os.strerror(number)} ({name})" if number < LIBBPF_ERRORS else f"libbpf error {name}"
    words = verdict or _first(log)
    if number in (errno.EMFILE, errno.ENFILE):  # libbpf's words are about the file it was at
        reason, words = "too many open files", f"ulimit -n is {_most_files()}"
    return FailedError(feature, f"{reason}: {words}" if words else reason, number, log)


def _refusal(wanted: tuple[str, ...], verified: bool) -> tuple[str, tuple[str, ...]] | None:
    """Why this process may not, and the capabilities that would help; None if it holds them all.

    A program that got as far as the verifier needs no CAP_NET_ADMIN: its errors are its own.
    """
    if wanted and not in_initial_user_namespace():
        return f"needs {', '.join(wanted)} outside of any user namespace", wanted
    missing = missing_capabilities(wanted)
    if not missing or (verified and missing == ("CAP_NET_ADMIN",)):
        return None
    return f"needs {', '.join(missing)}", missing


def _verdict(log: str) -> str:
    """The verifier's last word, which stands before its statistics; empty if it was not asked."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    for number, line in enumerate(lines):
        if line.startswith("processed ") and number:
            return lines[number - 1]
    return ""


def _first(log: str) -> str:
    """libbpf's first words, which name the cause."""
    lines = (line.strip() for line in log.splitlines())
    return next((line.removeprefix("libbpf: ") for line in lines if line), "")
