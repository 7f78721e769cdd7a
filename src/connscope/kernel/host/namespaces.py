"""Whether we are in the machine's own namespaces."""

from __future__ import annotations

from pathlib import Path

__all__ = ("in_initial_pid_namespace", "in_initial_user_namespace")

PROC = Path("/proc")
# Fixed by include/linux/proc_ns.h: the inodes of the namespaces that the machine booted with.
INITIAL_USER, INITIAL_PID = 0xEFFFFFFD, 0xEFFFFFFC


def in_initial_pid_namespace(proc: Path = PROC) -> bool:
    """Whether our pids are the machine's, which are those that BPF programs see."""
    return _is(proc / "self/ns/pid", INITIAL_PID)


def in_initial_user_namespace(proc: Path = PROC) -> bool:
    """Whether our capabilities count for the whole machine; true if it can not be known."""
    return _is(proc / "self/ns/user", INITIAL_USER)


def _is(path: Path, inode: int) -> bool:
    try:
        return path.stat().st_ino == inode
    except OSError:
        return True  # the kernel was built without this kind of namespace
