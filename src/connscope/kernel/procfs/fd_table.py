"""Which process holds a socket, by the fd tables in /proc."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ("SOCKET_OWNER", "find_socket_owners")

SOCKET_OWNER = np.dtype(
    [
        ("inode", np.uint32),
        ("pid", np.uint32),
        ("process_start_ns", np.uint64),
        ("comm", np.void, 16),
    ]
)
"""The holder of a socket: the inode of the socket, then the columns of a row with those names.

`process_start_ns` is CLOCK_BOOTTIME rounded down to a clock tick, 10 ms on most machines; BPF
programs read it to the nanosecond.
"""

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
START_TIME = 22 - 3  # of proc(5); what follows the name begins with field 3
SOCKET_LINK = "socket:["


class _Process(NamedTuple):
    start_ns: int
    comm: bytes


def find_socket_owners(inodes: NDArray[np.uint32], proc: Path = Path("/proc")) -> NDArray[Any]:
    """The holders of those sockets that have one, as `SOCKET_OWNER`, ascending by inode.

    A socket in several fd tables has the lowest pid. The search ends when all are found. Processes
    that end meanwhile or may not be looked at are passed over: what they hold has no holder here.

    Args:
        inodes: of sockets; 0, no file, is never found.
        proc: where the proc file system is; pids are those of its pid namespace.
    """
    wanted = {inode for inode in inodes.tolist() if inode}
    found = list[tuple[int, int, int, bytes]]()
    for pid in _pids(proc):
        if not wanted:
            break
        held = _held_sockets(proc / str(pid)) & wanted
        process = _read_process(proc / str(pid)) if held else None
        if process:
            found += [(inode, pid, process.start_ns, process.comm) for inode in held]
            wanted -= held
    return np.array(sorted(found), SOCKET_OWNER)


def _pids(proc: Path) -> list[int]:
    names = (entry.name for entry in proc.iterdir())
    return sorted(int(name) for name in names if name.isascii() and name.isdecimal())


def _held_sockets(process: Path) -> set[int]:
    """The inodes of the sockets in its fd table; none if it may not be read."""
    found = set[int]()
    try:
        table = os.open(process / "fd", os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return found
    try:
        with os.scandir(table) as entries:
            for entry in entries:
                link = _read_link(entry.name, table)
                if link.startswith(SOCKET_LINK):
                    found.add(int(link[len(SOCKET_LINK) : -1]))
    except OSError:
        pass  # it has ended; what it held is closed or held by another
    finally:
        os.close(table)
    return found


def _read_link(name: str, table: int) -> str:
    try:
        return os.readlink(name, dir_fd=table)
    except OSError:
        return ""  # closed meanwhile


def _read_process(process: Path) -> _Process | None:
    try:
        stat = (process / "stat").read_bytes()
        comm = (process / "comm").read_bytes()
    except OSError:
        return None  # it has ended
    # The name stands in brackets and may have brackets and spaces in it: the last one counts.
    fields = stat.rpartition(b")")[2].split()
    ticks = int(fields[START_TIME])
    return _Process(ticks * 10**9 // TICKS_PER_S, comm.removesuffix(b"\n")[:15])
