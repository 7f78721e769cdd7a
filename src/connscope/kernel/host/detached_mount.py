"""Reads files of a kernel file system that nobody has mounted, without mounting it anywhere.

fsopen(2) and fsmount(2) (5.2) give a mount that hangs in no tree: no other process can see it and
it is gone when its fd is closed.
"""

from __future__ import annotations

import ctypes
import os

__all__ = ("mount_detached", "read_detached")

# The same numbers on every architecture (asm-generic and x86-64 agree since 5.2).
SYS_FSOPEN, SYS_FSCONFIG, SYS_FSMOUNT = 430, 431, 432
FSOPEN_CLOEXEC = 1
FSCONFIG_CMD_CREATE = 6
FSMOUNT_CLOEXEC = 1


def mount_detached(file_system: str) -> int:
    """A descriptor of the root of a kernel file system; closing it unmounts.

    Raises:
        OSError: not permitted (CAP_SYS_ADMIN), or no such file system.
    """
    context = _syscall(SYS_FSOPEN, ctypes.c_char_p(file_system.encode()), FSOPEN_CLOEXEC)
    try:
        _syscall(SYS_FSCONFIG, context, FSCONFIG_CMD_CREATE, None, None, 0)
        return _syscall(SYS_FSMOUNT, context, FSMOUNT_CLOEXEC, 0)
    finally:
        os.close(context)


def read_detached(file_system: str, path: str) -> str:
    """The text of a file of a kernel file system, e.g. ``("securityfs", "lockdown")``.

    Raises:
        OSError: not permitted (CAP_SYS_ADMIN), no such file system or file.
    """
    mount = mount_detached(file_system)
    try:
        with os.fdopen(os.open(path, os.O_RDONLY, dir_fd=mount), encoding="utf-8") as file:
            return file.read()
    finally:
        os.close(mount)


def _syscall(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    result = int(libc.syscall(number, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
