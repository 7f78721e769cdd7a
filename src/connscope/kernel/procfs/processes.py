"""The processes in /proc, grouped by network namespace, and what their namespace's files say."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from connscope.kernel.host.exhaustion import is_exhausted

__all__ = (
    "NetTexts",
    "Process",
    "ProcessGroup",
    "group_processes",
    "is_pid",
    "read_net_texts",
    "read_process",
)

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
START_TIME = 22 - 3  # of proc(5); what follows the name begins with field 3
COMM_BYTES = 15
ESCAPED = re.compile(rb"\\(n|\\)")  # stat writes a newline and a backslash of a name so
NET_FILES = ("tcp", "tcp6", "udp", "udp6")


class ProcessGroup(NamedTuple):
    """Processes of one network namespace.

    Attributes:
        key: not that of another namespace: its inode, or where that may not be read, a number of
            its net/dev.
        inode: of the namespace; 0 if none of the processes may be asked for it.
        pids: ascending.
    """

    key: int
    inode: int
    pids: tuple[int, ...]


class Process(NamedTuple):
    """A process as the columns of a row have it.

    Attributes:
        start_ns: CLOCK_BOOTTIME, rounded down to a clock tick.
        comm: its name, at most 15 bytes, whatever they are.
    """

    start_ns: int
    comm: bytes


class NetTexts(NamedTuple):
    """The files of one network namespace; empty for one that this kernel has not."""

    tcp: bytes
    tcp6: bytes
    udp: bytes
    udp6: bytes


def group_processes(proc: Path = Path("/proc")) -> list[ProcessGroup]:
    """All processes that have a network namespace, by namespace.

    ns/net is asked for first. It came with 3.8 and is for those who may trace the process; net/dev
    is older and for everybody, and its inode is another one in each namespace.

    Raises:
        OSError: there is no such directory.
    """
    by_inode, by_device = dict[int, list[int]](), dict[int, list[int]]()
    groups = list[ProcessGroup]()
    root = os.open(proc, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        names = os.listdir(root)  # noqa: PTH208  an fd is no Path
        for pid in sorted(int(name) for name in names if is_pid(name)):
            if inode := _inode(f"{pid}/ns/net", root):
                by_inode.setdefault(inode, []).append(pid)
            elif device := _inode(f"{pid}/net/dev", root):
                by_device.setdefault(device, []).append(pid)
        for inode, pids in by_inode.items():
            paths = (f"{pid}/net/dev" for pid in (pids if by_device else ()))
            device = next((found for path in paths if (found := _inode(path, root))), 0)
            members = sorted(pids + by_device.pop(device, []))
            groups.append(ProcessGroup(inode, inode, tuple(members)))
    finally:
        os.close(root)
    return groups + [ProcessGroup(key, 0, tuple(pids)) for key, pids in by_device.items()]


def is_pid(name: str) -> bool:
    """Whether an entry of /proc is a process."""
    return name.isascii() and name.isdecimal()


def _inode(path: str, directory: int | None = None) -> int:
    try:
        return os.stat(path, dir_fd=directory).st_ino
    except OSError:
        return 0  # it has ended, or may not be looked at


def read_net_texts(group: ProcessGroup, proc: Path = Path("/proc")) -> NetTexts | None:
    """The files of the namespace, from the first process that is still in it; None if none is.

    Raises:
        OSError: there are no descriptors left, or no memory.
    """
    for pid in group.pids:
        found = [_read_with_inode(f"{proc}/{pid}/net/{name}") for name in NET_FILES]
        texts = [text for text, _ in found]
        # Without IPv6 a file is missing; of a process that has ended meanwhile all are.
        is_there = any(texts) and (all(texts) or _inode(f"{proc}/{pid}/net/dev"))
        if is_there and _stayed(group, proc / str(pid), [inode for _, inode in found]):
            return NetTexts(*texts)
    return None


def _stayed(group: ProcessGroup, process: Path, inodes: list[int]) -> bool:
    """Whether a process was in its namespace while its files were read: it may have gone into
    another one since it was counted among the group, or only for a moment.

    Args:
        group: the one it was counted among.
        process: its directory.
        inodes: of the files that were read; they are others in each namespace. 0: not there.
    """
    for name, inode in zip(NET_FILES, inodes, strict=True):
        if inode and inode != _inode(f"{process}/net/{name}"):
            return False
    if not group.inode:
        return _inode(f"{process}/net/dev") == group.key
    return _inode(f"{process}/ns/net") in (group.inode, 0)


def read_process(pid: int, proc: Path = Path("/proc")) -> Process | None:
    """A process by its stat file; None if it has ended or the file makes no sense.

    Raises:
        OSError: there are no descriptors left, or no memory.
    """
    # The name is in brackets and may have brackets and spaces in it: the last one counts.
    before, bracket, after = _read(f"{proc}/{pid}/stat").rpartition(b")")
    comm, fields = before.partition(b"(")[2], after.split()
    if not bracket or len(fields) <= START_TIME or not fields[START_TIME].isdigit():
        return None
    comm = ESCAPED.sub(lambda found: b"\n" if found[1] == b"n" else found[1], comm)
    return Process(int(fields[START_TIME]) * 10**9 // TICKS_PER_S, comm[:COMM_BYTES])


def _read(path: str) -> bytes:
    """All of a file; see `_read_with_inode`."""
    return _read_with_inode(path)[0]


def _read_with_inode(path: str) -> tuple[bytes, int]:
    """All of a file and which file that was; nothing and 0 if it is gone or may not be read.

    Raises:
        OSError: there are no descriptors left, or no memory: that says nothing of the file.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        if is_exhausted(error):
            raise
        return b"", 0
    parts = list[bytes]()
    try:
        inode = os.fstat(file).st_ino
        while part := os.read(file, 1 << 16):
            parts.append(part)
    except OSError:
        return b"", 0
    finally:
        os.close(file)
    return b"".join(parts), inode
