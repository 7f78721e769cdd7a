"""Which UDP rows have the broadcast address of a network: the routes of their namespace say it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.errors import KernelError, NotPermittedError
from connscope.kernel.host.network_namespaces import (
    entered_network_namespace,
    find_network_namespaces,
)
from connscope.kernel.netlink.route_socket import BROADCAST, LocalRoutes
from connscope.row.cast import mark_broadcasts
from connscope.row.columns import Rows
from connscope.row.words import Protocol

__all__ = ("Broadcasts", "read_namespace")

PROC = Path("/proc")
HERE = Path("/proc/thread-self/ns/net")
REST_S = 0.1
SHARE = 100
"""After a reading, or a search for processes, comes a rest: so many times as long as it took, but
no less than `REST_S`."""
NAMESPACES_MAX = 4096

Addresses = npt.NDArray[np.uint32]
Reader = Callable[[int, Path], Addresses | None]


def read_namespace(inode: int, path: Path) -> Addresses | None:
    """The broadcast addresses of a network namespace; None if it can not be entered or asked.

    Args:
        inode: of the namespace.
        path: a file to enter it by; it may have become that of another one.

    Raises:
        FailedError: this thread is not where it was.
    """
    try:
        with entered_network_namespace(path):
            return _read_here() if HERE.stat().st_ino == inode else None
    except (OSError, NotPermittedError):
        return None


def _read_here() -> Addresses | None:
    """Routes tell, and not addresses: one without ``brd`` has a broadcast address all the same, and
    kernels differ in whether the first address of a network is one."""
    try:
        with LocalRoutes() as table:
            routes = table.read()
    except KernelError:
        return None
    is_wanted = (routes["kind"] == BROADCAST) & (routes["family"] == socket.AF_INET)
    return _v4(routes["address"][is_wanted])


def _v4(octets: npt.NDArray[np.uint8]) -> Addresses:
    """The numbers of v4-mapped addresses, shape (n, 16)."""
    last: npt.NDArray[Any] = np.ascontiguousarray(octets[:, 12:]).view(">u4")[:, 0]
    return last.astype(np.uint32)


def _own_namespace() -> int:
    """Its inode; 0 where there is no proc file system."""
    try:
        return HERE.stat().st_ino
    except OSError:
        return 0


class Broadcasts:
    """Remembers the broadcast addresses of the namespaces that rows come from.

    A namespace is read when its first row comes, then again and again, in a hundredth of the time
    at most, and as much again is spent to find those that no row has a process of. One that can not
    be read any more, because it has ended, keeps the last that was known.

    Args:
        proc: where processes are.
        clock: seconds that only grow.
        read: as `read_namespace`.
    """

    def __init__(
        self,
        proc: Path = PROC,
        clock: Callable[[], float] = time.monotonic,
        read: Reader = read_namespace,
    ) -> None:
        self._proc, self._clock, self._read = proc, clock, read
        self._known = dict[int, Addresses]()  # those asked for last are last
        self._keys = np.empty(0, np.uint64)
        self._due_s = self._search_due_s = clock()

    def mark(self, rows: Rows) -> None:
        """Writes into each UDP row of IPv4 whether it has one, see `mark_broadcasts`."""
        is_wanted = (rows["protocol"] == Protocol.UDP) & (rows["family"] == 4)
        places = np.flatnonzero(is_wanted & (rows["netns"] > 0))
        if not len(places):
            return
        netns = rows["netns"][places].astype(np.uint64)
        self._refresh(netns, rows["pid"][places])
        found = np.zeros(len(places), np.bool_)
        for column in ("local_address", "peer_address"):
            octets = np.ascontiguousarray(rows[column][places]).view(np.uint8).reshape(-1, 16)
            found |= np.isin(netns << np.uint64(32) | _v4(octets).astype(np.uint64), self._keys)
        mark_broadcasts(rows, places, found)

    def _refresh(self, netns: npt.NDArray[np.uint64], pids: npt.NDArray[np.uint32]) -> None:
        began_s = self._clock()
        is_due = began_s >= self._due_s
        inodes, first = np.unique(netns, return_index=True)
        asked = dict(zip(inodes.tolist(), pids[first].tolist(), strict=True))
        wanted = {inode: pid for inode, pid in asked.items() if is_due or inode not in self._known}
        if wanted:
            found = self._by_process(wanted)
            self._take(asked, found | self._by_search(wanted.keys() - found.keys()))
        if is_due:
            self._due_s = self._end_of_rest(began_s)

    def _end_of_rest(self, began_s: float) -> float:
        now_s = self._clock()
        return now_s + max(REST_S, SHARE * (now_s - began_s))

    def _by_process(self, wanted: Mapping[int, int]) -> dict[int, Addresses]:
        """By our own place, or by that of the process that a row has."""
        own = _own_namespace()
        paths = {
            inode: HERE if inode == own else self._proc / str(pid) / "ns/net"
            for inode, pid in wanted.items()
            if pid or inode == own
        }
        return self._read_all(paths)

    def _by_search(self, wanted: Collection[int]) -> dict[int, Addresses]:
        """By any process, or any mount; nothing while a search rests."""
        began_s = self._clock()
        if not wanted or began_s < self._search_due_s:
            return {}
        try:
            paths = find_network_namespaces(self._proc)
        except OSError:
            paths = {}
        found = self._read_all({inode: paths[inode] for inode in wanted if inode in paths})
        self._search_due_s = self._end_of_rest(began_s)
        return found

    def _read_all(self, paths: Mapping[int, Path]) -> dict[int, Addresses]:
        read = {inode: self._read(inode, path) for inode, path in paths.items()}
        return {inode: addresses for inode, addresses in read.items() if addresses is not None}

    def _take(self, asked: Iterable[int], found: Mapping[int, Addresses]) -> None:
        nothing = np.empty(0, np.uint32)
        for inode in asked:
            before = self._known.pop(inode, nothing)
            self._known[inode] = found.get(inode, before)
        for inode in list(self._known)[:-NAMESPACES_MAX]:
            del self._known[inode]
        keys = [
            np.uint64(inode << 32) | addresses.astype(np.uint64)
            for inode, addresses in self._known.items()
        ]
        self._keys = np.concatenate(keys)
