"""Rows on their way from a tier to whoever shows them, counted; and the edges of windows."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

import numpy as np

from connscope.capture.tier import BATCH_ROWS, CaptureTier
from connscope.errors import KernelError
from connscope.kernel.host.clock import boottime_ns
from connscope.row.columns import Rows
from connscope.row.words import Protocol, State
from connscope.tracker.audit_reading import read_counters
from connscope.tracker.audit_rows import NOBODY, SocketIds, Tally, count_rows, is_settled
from connscope.tracker.audit_verdict import Edge

__all__ = ("Intake", "NamespaceEdge", "Show")

DRAIN_BATCHES = 64
"""Who makes more rows than that while they are taken makes no quiet edge."""

Show = Callable[[Rows], None]
UnderWay = Mapping[int, tuple[int, int]]


class NamespaceEdge(NamedTuple):
    """An edge of a network namespace; the cookie tells it from a later one with its inode."""

    cookie: int
    edge: Edge


class Intake:
    """Takes all rows of a tier and counts them.

    Args:
        tier: open; only this reads its events.
        show: is given each batch, all of it; rows that an edge takes too.
        counts: False: only passes rows on.

    Attributes:
        show: as given; may be replaced.
        tally: what all rows since `start` come to.
        tiers: the ways of capture that they came by.
        refused: namespaces that the last edge of all found and may not read.
        has_news: rows came since somebody has set this to False.
    """

    def __init__(self, tier: CaptureTier, show: Show, *, counts: bool) -> None:
        self._tier, self.show, self._counts = tier, show, counts
        self._earlier: SocketIds = NOBODY
        self._start_ns = boottime_ns()
        self.tally, self.tiers = Tally(), set[int]()
        self.refused: frozenset[int] = frozenset()
        self.has_news = False

    def read(self) -> int:
        """Takes a batch of rows, counts them, shows them; how many there were."""
        rows = self._tier.events()
        if self._counts and len(rows):
            self._count(rows)
        self.show(rows)
        return len(rows)

    def _count(self, rows: Rows) -> None:
        is_udp = rows["protocol"] == Protocol.UDP
        if is_udp.any():
            rows = rows.compress(~is_udp)  # the counters that we compare with are TCP's
        if not len(rows):
            return
        self.has_news = True
        self.tally.add(*count_rows(rows, self._start_ns, self._earlier))
        tiers = rows["tier"].copy()
        self.tiers.add(int(tiers[0]))
        if (tiers != tiers[0]).any():
            self.tiers.update(tiers.tolist())
        if len(self._earlier):
            done = rows["socket_id"][is_settled(rows)]
            self._earlier = self._earlier[~np.isin(self._earlier, done)]

    def start(self) -> dict[int, NamespaceEdge]:
        """The first edge of each namespace.

        Handshakes that are under way are remembered: the kernel has counted them already.
        """
        self.tally, self._start_ns, self.tiers = Tally(), boottime_ns(), set()
        edges = self.edges(looks=True, starts=True)
        self.tally.keep(edges)
        self._start_ns = boottime_ns()  # what opened meanwhile was told before the edge
        return edges

    def edges(
        self, inodes: Collection[int] | None = None, *, looks: bool, starts: bool = False
    ) -> dict[int, NamespaceEdge]:
        """Reads the counters, takes the rows that wait, reads again.

        Args:
            inodes: of the namespaces; None: all that can be entered.
            looks: also which handshakes are under way.
            starts: see `start`.
        """
        first = read_counters(inodes)
        under_way = self._look(starts=starts) if looks else {}
        self._drain()
        second, now_s = read_counters(first.found, first.paths), time.monotonic()
        if inodes is None:
            self.refused = first.refused
        found = dict[int, NamespaceEdge]()
        for inode, (cookie, least) in first.found.items():
            again = second.found.get(inode)
            if again and again.cookie == cookie:
                seen, waiting = self.tally.of(inode), under_way.get(inode, (0, 0))
                edge = Edge(now_s, least, again.counters, seen, waiting)
                found[inode] = NamespaceEdge(cookie, edge)
        return found

    def _drain(self) -> None:
        for _ in range(DRAIN_BATCHES):
            if self.read() < BATCH_ROWS:
                return

    def _look(self, *, starts: bool) -> UnderWay:
        """How many handshakes of each namespace are under way: of connects, of children."""
        try:
            rows = self._tier.look()
        except KernelError:
            return {}
        connects, children = rows["state"] == State.SYN_SENT, rows["state"] == State.SYN_RECV
        if starts:
            self._earlier = rows["socket_id"][connects | children]
        inodes, places = np.unique(rows["netns"], return_inverse=True)
        numbers = (
            np.bincount(places[mask], minlength=len(inodes)).tolist()
            for mask in (connects, children)
        )
        return dict(zip(inodes.tolist(), zip(*numbers, strict=True), strict=True))
