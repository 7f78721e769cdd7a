"""The door to libbpf: the loaded library, its errors, and what it says while it works."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from connscope.errors import FailedError, KernelError, NotPermittedError, NotSupportedError
from connscope.kernel._libbpf_abi import ffi
from connscope.kernel.host.capabilities import missing_capabilities
from connscope.kernel.host.lockdown import read_lockdown

__all__ = ("check", "error_from", "ffi", "library", "messages", "take_pointer")

SONAME = "libbpf.so.1"
BPF_CAPABILITIES = ("CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN")
ENOTSUPP = 524  # the kernel's own, not in errno.h
WARN = 0  # enum libbpf_print_level
MESSAGE_BYTES = 4 << 20  # a failed program's verifier log arrives as one message

# What the verifier says of a helper or kfunc that this kernel, or its lockdown, does not offer.
UNKNOWN_HELPER = ("unknown func", "program of this type cannot use helper", "calling kernel function")

_lock = threading.RLock()
_messages: list[str] = []


@cache
def library() -> Any:
    """Loads libbpf once.

    Raises:
        NotSupportedError: there is no libbpf 1.x; the message names the package.
    """
    try:
        lib = ffi.dlopen(SONAME)
    except OSError as error:
        raise NotSupportedError(
            "libbpf",
            f"{SONAME} not found: install it with `apt-get install libbpf1` (Debian, Ubuntu), "
            "`dnf install libbpf` (Fedora) or `apk add libbpf` (Alpine)",
        ) from error
    lib.libbpf_set_print(_print)
    return lib


@ffi.callback("libbpf_print_fn_t")
def _print(level: int, template: Any, arguments: Any) -> int:
    if level != WARN:
        return 0
    text = ffi.new("char[]", MESSAGE_BYTES)
    library().vsnprintf(text, MESSAGE_BYTES, template, arguments)
    _messages.append(ffi.string(text).decode(errors="replace"))
    return 0


@contextmanager
def messages() -> Iterator[list[str]]:
    """Collects what libbpf warns of meanwhile; one at a time in a process."""
    with _lock:
        _messages.clear()
        yield _messages


def check(result: int, feature: str, log: str = "") -> int:
    """Passes a result >= 0 on.

    Raises:
        KernelError: the result is a negative errno; see `error_from`.
    """
    if result < 0:
        raise error_from(-result, feature, log)
    return result


def take_pointer(pointer: Any, feature: str, log: str = "") -> Any:
    """Passes a pointer on.

    Raises:
        KernelError: it is NULL and errno says why; see `error_from`.
    """
    if pointer == ffi.NULL:
        raise error_from(ffi.errno, feature, log)
    return pointer


def error_from(number: int, feature: str, log: str = "") -> KernelError:
    """The error that an errno and libbpf's words amount to: supported, permitted or failed."""
    name = errno.errorcode.get(number, str(number))
    if number in (errno.EPERM, errno.EACCES) and (missing := _missing()):
        return NotPermittedError(feature, f"needs {', '.join(missing)}", missing)
    if number == errno.EPERM:
        return NotPermittedError(feature, f"the kernel refuses it ({name}); {_describe_lockdown()}")
    if number in (errno.EOPNOTSUPP, errno.ENOSYS, errno.ESRCH, errno.ENOENT, ENOTSUPP):
        return NotSupportedError(feature, _summarize(log) or f"this kernel has no such thing ({name})")
    if number == errno.EINVAL and any(words in log for words in UNKNOWN_HELPER):
        if read_lockdown() == "confidentiality":
            return NotPermittedError(feature, f"lockdown=confidentiality: {_summarize(log)}")
        return NotSupportedError(feature, _summarize(log))
    reason = f"{os.strerror(number)} ({name})" if number in errno.errorcode else name
    return FailedError(feature, ": ".join(filter(None, (reason, _summarize(log)))), number, log)


def _missing() -> tuple[str, ...]:
    return missing_capabilities(BPF_CAPABILITIES)


def _describe_lockdown() -> str:
    lockdown = read_lockdown()
    return f"every capability is there, lockdown is {lockdown or 'unknown'}"


def _summarize(log: str) -> str:
    """The one line of a log that tells most: the verifier's verdict, else libbpf's first words."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    for number, line in enumerate(lines):
        if line.startswith("processed ") and number:
            return lines[number - 1]
    return next((line.removeprefix("libbpf: ") for line in lines), "")
