"""Giving up privileges, for good."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

from connscope.errors import FailedError
from connscope.kernel.host.capabilities import BITS

__all__ = ("become", "die_with_parent", "keep_capabilities")

# linux/prctl.h and linux/capability.h
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 24, 38
CAPABILITY_VERSION_3, CAP_SETPCAP = 0x20080522, 8
LAST_CAPABILITY = Path("/proc/sys/kernel/cap_last_cap")
FEATURE = "giving up privileges"

libc = ctypes.CDLL(None, use_errno=True)


def keep_capabilities(names: Iterable[str]) -> None:
    """Gives up all capabilities but those, for this thread and for all that it will start.

    Those of them that the thread does not hold it does not get. Nothing that is started later gets
    more, whatever bits its file has.

    Args:
        names: ``CAP_BPF`` and so on, as in `capabilities`.

    Raises:
        FailedError: the kernel refused; nothing can be relied on then.
    """
    _keep(sum(1 << BITS[name] for name in names))


def become(uid: int, gid: int) -> None:
    """Becomes that user, without any capability and for good.

    What this process could open only as root has to be open, and what it imports to be imported: a
    tree that belongs to somebody else may not be readable any more.

    Raises:
        FailedError: the kernel refused.
    """
    try:
        if os.geteuid() == 0 and uid:
            _drop_bounding_set(0)
            os.setgroups([])
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
    except OSError as error:
        raise FailedError(FEATURE, f"becoming user {uid}: {error.strerror}") from error
    _keep(0)  # who was not root before has kept what a service or a file gave
    if uid and 0 in (*os.getresuid(), *os.getresgid()[: 3 if gid else 0]):
        raise FailedError(FEATURE, f"becoming user {uid}: part of us is still root")


def die_with_parent(number: int) -> None:
    """Has the kernel send us that signal when our parent ends, however it does.

    To be called after `become`, which makes the kernel forget it (prctl(2)).

    Raises:
        FailedError: the kernel refused.
    """
    _call("prctl", PR_SET_PDEATHSIG, number, 0, 0, 0)


def _keep(kept: int) -> None:
    header = struct.pack("II", CAPABILITY_VERSION_3, 0)
    held = bytearray(24)  # effective, permitted, inheritable: the low words, then the high ones
    _call("capget", header, (ctypes.c_char * 24).from_buffer(held))
    words = struct.unpack("6I", held)
    permitted = words[1] | words[4] << 32
    if permitted >> CAP_SETPCAP & 1:
        _drop_bounding_set(kept)
    low, high = permitted & kept & 0xFFFFFFFF, (permitted & kept) >> 32
    _call("capset", header, struct.pack("6I", low, low, 0, high, high, 0))
    _call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _drop_bounding_set(kept: int) -> None:
    for number in range(int(LAST_CAPABILITY.read_text()) + 1):
        if not kept >> number & 1:
            _call("prctl", PR_CAPBSET_DROP, number, 0, 0, 0)


def _call(name: str, *arguments: object) -> None:
    if getattr(libc, name)(*arguments):
        number = ctypes.get_errno()
        raise FailedError(FEATURE, f"{name}: {os.strerror(number)}")
