"""Which process holds a socket, by the fd tables in /proc."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from connscope.kernel.procfs.fd_walk import walk_fds
from connscope.kernel.procfs.pace import Pace
from connscope.kernel.procfs.processes import is_pid, read_process

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

UNLIMITED = sys.maxsize
"""Descriptors a tick: who asks for owners waits for them."""


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
    for held in walk_fds(_pids(proc), Pace(UNLIMITED, 0), proc) if wanted else ():
        inodes_held = held.fds.keys() & wanted
        process = read_process(held.pid, proc) if inodes_held else None
        if process:
            found += [(inode, held.pid, process.start_ns, process.comm) for inode in inodes_held]
            wanted -= inodes_held
        if not wanted:
            break
    return np.array(sorted(found), SOCKET_OWNER)


def _pids(proc: Path) -> list[int]:
    names = (entry.name for entry in proc.iterdir())
    return sorted(int(name) for name in names if is_pid(name))
