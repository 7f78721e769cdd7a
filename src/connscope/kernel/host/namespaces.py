"""Namespaces: which one a process is in, and whether we are in the machine's own."""

from __future__ import annotations

from pathlib import Path

__all__ = (
    "in_initial_pid_namespace",
    "in_initial_user_namespace",
    "list_network_namespaces",
    "network_namespace",
)

PROC = Path("/proc")
# Fixed by include/linux/proc_ns.h: the inodes of the namespaces that the machine booted with.
INITIAL_USER, INITIAL_PID = 0xEFFFFFFD, 0xEFFFFFFC


def network_namespace(pid: int, proc: Path = PROC) -> int:
    """The inode of a process's network namespace, the number that a row's ``netns`` has.

    Raises:
        OSError: the process is gone, or may not be looked at.
    """
    return (proc / str(pid) / "ns/net").stat().st_ino


def list_network_namespaces(proc: Path = PROC) -> dict[int, int]:
    """The network namespaces that have a process: inode → the lowest pid in it.

    Processes that end meanwhile, or may not be looked at, are left out; so are namespaces that only
    a mount or an fd holds.
    """
    found: dict[int, int] = {}
    for pid in sorted(int(entry.name) for entry in proc.iterdir() if entry.name.isdecimal()):
        try:
            found.setdefault(network_namespace(pid, proc), pid)
        except OSError:
            continue
    return found


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
