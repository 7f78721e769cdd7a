"""One pass through /proc after the other: which sockets there are, and who holds them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from connscope.capture.procfs.ids import SteadyIds
from connscope.capture.procfs.rows import NamespaceRows, fill_owners, namespace_rows
from connscope.kernel.host.clock import boottime_ns
from connscope.kernel.procfs.fd_walk import Held, confirm_held, walk_fds
from connscope.kernel.procfs.pace import Pace
from connscope.kernel.procfs.processes import (
    NetTexts,
    Process,
    ProcessGroup,
    group_processes,
    read_net_texts,
    read_process,
)
from connscope.row.columns import ROW, Rows

__all__ = ("PassResult", "ProcfsPasses")

READ_AGAIN_SHARE = 10
"""Reading files again takes at most so small a part of a pass; see `ProcfsPasses`."""


@dataclass(frozen=True, slots=True)
class PassResult:
    """What one pass found.

    Attributes:
        sockets: rows with their owners.
        minisockets: SYN_RECV and TIME_WAIT.
        namespaces: how many network namespaces have a process.
        unnamed: how many of those have no process that we may ask for the namespace's inode.
        refused: how many processes did not let us read their fd table.
        hidden: whether processes of others are not even listed.
        malformed: how many lines of the files made no sense.
        fds: how many descriptors were read.
        took_s: how long it took.
    """

    sockets: Rows
    minisockets: Rows
    namespaces: int = 0
    unnamed: int = 0
    refused: int = 0
    hidden: bool = False
    malformed: int = 0
    fds: int = 0
    took_s: float = 0.0


NOTHING = PassResult(np.empty(0, ROW), np.empty(0, ROW))


class ProcfsPasses:
    """Makes passes, and remembers between them which descriptor leads to which socket.

    First the files of each network namespace are read, then the fd tables of its processes. What
    opens meanwhile would be held by a process and in no file, so the files are read again in each
    tick; on a machine with many sockets less often, or a pass would do little else.

    All fd tables are compared every `owner_check_interval_s`. Between two such passes only the
    descriptors that led to sockets are read, and others only if a socket is new.

    Args:
        proc: where the proc file system is.
        owner_check_interval_s: 0 compares in each pass.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        proc: Path,
        owner_check_interval_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._proc, self._interval_s, self._clock = proc, owner_check_interval_s, clock
        self._compared_s = -math.inf
        self._held = dict[int, Held]()
        self._without_holder = set[int]()
        self._refused = 0
        self._found = dict[int, NamespaceRows]()
        self._processes = dict[int, Process]()
        self._ids = SteadyIds()
        self._read_cost_s = self._read_end_s = 0.0

    def run(self, pace: Pace) -> PassResult | None:
        """One pass; None if the pace was stopped meanwhile.

        Raises:
            OSError: there is no such directory.
        """
        began_s, fds = self._clock(), pace.fds
        groups = group_processes(self._proc)
        self._found, self._processes = {}, {}
        if began_s - self._compared_s >= self._interval_s:
            self._compare(groups, pace)
            self._compared_s = -math.inf if pace.stopped else began_s
        else:
            self._confirm(groups, pace)
        if pace.stopped:
            return None
        found = self._found.values()
        nothing = np.empty(0, ROW)
        sockets = _each_once(np.concatenate((nothing, *(part.sockets for part in found))))
        minisockets = _each_once(np.concatenate((nothing, *(part.minisockets for part in found))))
        self._ids.keep(sockets)
        self._read_processes(self._held)
        fill_owners(sockets, self._held.values(), self._processes)
        return PassResult(
            sockets,
            minisockets,
            namespaces=len(groups),
            unnamed=sum(not group.inode for group in groups),
            refused=self._refused,
            hidden=not (self._proc / "1").exists(),
            malformed=sum(part.malformed for part in found),
            fds=pace.fds - fds,
            took_s=self._clock() - began_s,
        )

    def _compare(self, groups: list[ProcessGroup], pace: Pace) -> None:
        """Reads all fd tables."""
        self._read_files(groups, pace)
        self._refused = 0
        holders = dict[int, Held]()
        self._walk(groups, pace, holders)
        self._keep(holders)

    def _confirm(self, groups: list[ProcessGroup], pace: Pace) -> None:
        """Reads what led to a socket in the last pass, and the rest only for what is new.

        The kernel takes its time to write the files, so another thread waits for them.
        """
        with ThreadPoolExecutor(1) as executor:
            reading = executor.submit(self._read_texts, groups, pace)
            held = [confirm_held(held, pace, self._proc) for held in self._held.values()]
            self._read_processes(one.pid for one in held if one.fds)
            texts = reading.result()
        self._take_texts(texts)
        holders = dict[int, Held]()
        for one in held:
            holders.update(dict.fromkeys(one.fds, one))
        inodes = self._inodes()
        missing = inodes - holders.keys() - self._without_holder
        if missing:
            self._walk(groups, pace, holders, missing)
            self._keep(holders)
        else:
            self._held = {one.pid: one for one in held if one.fds}
            self._without_holder = inodes - holders.keys()

    def _keep(self, holders: dict[int, Held]) -> None:
        """Remembers who holds the sockets that are in the files, and which have no holder."""
        inodes = self._inodes()
        self._without_holder = inodes - holders.keys()
        self._held = {}
        for inode in inodes & holders.keys():
            holder = holders[inode]
            self._held.setdefault(holder.pid, Held(holder.pid, {})).fds[inode] = holder.fds[inode]

    def _read_texts(
        self, groups: list[ProcessGroup], pace: Pace
    ) -> list[tuple[ProcessGroup, NetTexts, int]]:
        """The files of each namespace, and when they were read."""
        found = list[tuple[ProcessGroup, NetTexts, int]]()
        for group in groups:
            texts = None if pace.stopped else read_net_texts(group, self._proc)
            if texts:
                found.append((group, texts, boottime_ns()))
        return found

    def _read_files(self, groups: list[ProcessGroup], pace: Pace) -> None:
        began_s = self._clock()
        self._take_texts(self._read_texts(groups, pace))
        self._read_end_s = self._clock()
        self._read_cost_s = self._read_end_s - began_s

    def _take_texts(self, found: list[tuple[ProcessGroup, NetTexts, int]]) -> None:
        for group, texts, time_ns in found:
            self._found[group.key] = namespace_rows(texts, group, time_ns)

    def _read_processes(self, pids: Iterable[int]) -> None:
        """Reads names and start times of those that this pass has not read yet."""
        for pid in pids:
            if pid not in self._processes and (found := read_process(pid, self._proc)):
                self._processes[pid] = found

    def _inodes(self) -> set[int]:
        """Of all sockets found so far that have a file."""
        found = set[int]()
        for part in self._found.values():
            found.update(part.sockets["socket_inode"].tolist())
        return found - {0}

    def _walk(
        self,
        groups: list[ProcessGroup],
        pace: Pace,
        holders: dict[int, Held],
        missing: set[int] | None = None,
    ) -> None:
        """Adds the lowest pid that holds each socket: of all, or until none is missing any more."""
        tick = pace.ticks
        for group in groups:
            for held in walk_fds(group.pids, pace, self._proc):
                self._refused += held.refused and missing is None
                for inode in held.fds:
                    if inode not in holders or held.pid < holders[inode].pid:
                        holders[inode] = held
                if missing is not None:
                    missing -= held.fds.keys()
                    if not missing:
                        return
                if pace.ticks != tick and self._may_read_again():
                    self._read_files([group], pace)
                    tick = pace.ticks

    def _may_read_again(self) -> bool:
        rest_s = self._clock() - self._read_end_s
        return rest_s >= READ_AGAIN_SHARE * self._read_cost_s


def _each_once(rows: Rows) -> Rows:
    """A file that changes while it is read may show a socket twice."""
    first = np.unique(rows["connection_id"], return_index=True)[1]
    return rows if len(first) == len(rows) else rows[np.sort(first)]
