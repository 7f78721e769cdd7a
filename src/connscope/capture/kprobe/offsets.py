"""Where this kernel keeps its fields: from BTF, from what an earlier guess left, or guessed now."""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from connscope.capture.kprobe.guess.fields import FIELDS, Part
from connscope.capture.kprobe.guess.witness import guess_offsets
from connscope.errors import KernelError, NotSupportedError
from connscope.kernel import Btf
from connscope.kernel.kprobes import Kprobes

__all__ = ("OffsetStore", "Offsets", "find_offsets", "offsets_of_btf")

KEPT = Path("/run/connscope.offsets")
"""Gone with the boot, like the kernel that it is about."""

BOOT = Path("/proc/sys/kernel/random/boot_id")
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
HIGHEST = 1 << 15

EXTRA = {
    "owned": ("sock", "sk_lock", "owned"),
    "slock": ("sock", "sk_lock", "slock", "rlock", "raw_lock", "val", "counter"),
    "is_mptcp": ("tcp_sock", "is_mptcp"),
}
"""What is not guessed: by BTF only."""

IN_SOCKET = {field.name: field.width for field in FIELDS if field.part is Part.SOCKET}
IN_SOCKET |= dict.fromkeys(EXTRA, 4)
COPY_BYTES = 4096
"""Of ``bpf/kprobe_fields.bpf.h``."""


class Offsets(NamedTuple):
    """What was found.

    Attributes:
        at: by the names of ``bpf/kprobe_fields.bpf.h``; those that are not known are missing.
        source: ``btf``, ``guess`` or ``kept``: of an earlier guess.
    """

    at: dict[str, int]
    source: str

    @property
    def knobs(self) -> dict[str, int]:
        """As the constants of the programs.

        Raises:
            NotSupportedError: a socket is larger than what they can copy of it.
        """
        ends = (self.at[name] + width for name, width in IN_SOCKET.items() if name in self.at)
        needed = -(-max(ends) // 8) * 8
        if needed > COPY_BYTES:
            raise NotSupportedError("field offsets", f"one is {needed} bytes behind the start")
        return {f"at_{name}": offset for name, offset in self.at.items()} | {"socket_bytes": needed}


class OffsetStore:
    """Keeps a guess for this boot and kernel, in a file that only root may have written.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path = KEPT) -> None:
        self._path = path
        self._made_for = {"boot": BOOT.read_text().strip(), "kernel": os.uname().release}

    def read(self) -> dict[str, int] | None:
        """What was kept; None if there is nothing that can be trusted."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(fd, encoding="utf-8") as file:
                found = os.fstat(file.fileno())
                if found.st_uid != os.geteuid() or found.st_mode & OTHERS_WRITE:
                    return None
                kept = json.load(file)
        except (OSError, ValueError):
            return None
        if not isinstance(kept, dict) or kept.get("made for") != self._made_for:
            return None
        return _checked(kept.get("at"))

    def write(self, at: dict[str, int]) -> None:
        """Keeps a guess; where that is not possible the next one is made again."""
        made = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with suppress(OSError):
            made.unlink(missing_ok=True)
            with os.fdopen(os.open(made, flags, 0o600), "w", encoding="utf-8") as file:
                json.dump({"made for": self._made_for, "at": at}, file)
            made.replace(self._path)


def _checked(at: Any) -> dict[str, int] | None:
    names = {field.name for field in FIELDS}
    if not isinstance(at, dict) or not at.keys() <= names:
        return None
    numbers = all(isinstance(value, int) and 0 <= value < HIGHEST for value in at.values())
    return (
        at if numbers and {each.name for each in FIELDS if each.required} - set(at) <= SIX else None
    )


SIX = {field.name for field in FIELDS if field.family == 6}
"""Missing where there is no IPv6."""


def find_offsets(kprobes: Kprobes, store: OffsetStore | None = None) -> Offsets:
    """The places of the fields, by what is cheapest and surest.

    Raises:
        KernelError: a field is not to be found without which a row would say nothing.
    """
    try:
        return offsets_of_btf()
    except KernelError:
        store = store or OffsetStore()
    kept = store.read()
    if kept is not None:
        return Offsets(kept, "kept")
    found = guess_offsets(kprobes).found
    store.write(found)
    return Offsets(found, "guess")


def offsets_of_btf() -> Offsets:
    """All that the kernel's types say.

    Raises:
        KernelError: there are no types, or not those that are needed.
    """
    with Btf.of_kernel() as types:
        paths = {field.name: field.btf for field in FIELDS} | EXTRA
        told = {name: types.offset(*path) for name, path in paths.items()}
    at = {name: offset for name, offset in told.items() if offset is not None}
    missing = {field.name for field in FIELDS if field.required} - at.keys() - SIX
    if missing:
        raise NotSupportedError("field offsets", f"BTF has no {', '.join(sorted(missing))}")
    return Offsets(at, "btf")
