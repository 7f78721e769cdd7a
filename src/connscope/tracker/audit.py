"""The audit: what rows told, compared with what the kernel counted, for as long as it runs.

The two reconcile only if nothing moves between reading the counters and taking the rows. So an edge
of a window is: read the counters, take all rows that wait, read the counters again; it is good for
those namespaces whose two readings agree. Where they do not, the window goes on to the next edge.
docs/audit.md says more.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from connscope.capture.tier import CaptureTier, Losses
from connscope.row.words import Kind, Tier, word
from connscope.tracker.audit_intake import Intake, NamespaceEdge, Show
from connscope.tracker.audit_rows import Counts, Seen
from connscope.tracker.audit_verdict import (
    CONNECTIONS,
    RULES,
    Cause,
    Circumstances,
    Edge,
    Verdict,
    judge,
)

__all__ = ("PATIENT_TRIES", "Audit", "Report")

INTERVAL_S = 1.0
PATIENT_TRIES = 5
COST_SHARE = 50
"""After an edge that took 20 ms there is none for a second: at most 2 % of a processor, however
many namespaces there are."""

ENDED_MAX = 1000
"""So many namespaces that are gone are kept; neither rows nor counters of older ones are told."""

NOTHING: Counts = np.zeros(len(Seen), np.int64)


class Report(NamedTuple):
    """What the audit has found so far.

    Attributes:
        window_s: since it began.
        verdicts: on each namespace that was read, and on each that only rows told of.
        losses: since it began.
        reason: why nothing is compared at all; empty if something is.
    """

    window_s: float
    verdicts: tuple[Verdict, ...]
    losses: Losses
    reason: str = ""


@dataclass(slots=True)
class Window:
    """The audit of one namespace.

    Attributes:
        cookie: see `NamespaceEdge`.
        begin: the first edge.
        end: the last good one.
        state: see `Verdict`.
        circumstances: until `end`.
    """

    cookie: int
    begin: Edge
    end: Edge
    state: Cause | None = None
    circumstances: Circumstances = field(default_factory=Circumstances)

    def move(self, end: Edge, circumstances: Circumstances) -> None:
        """Lets the window go on to an edge.

        One that was found after the others, and of which the rows since then tell all that it has
        ever counted, has begun with zero.
        """
        self.end, self.circumstances = end, circumstances
        if self.state == Cause.APPEARED:
            self._find_beginning()
        if self.state in (None, Cause.BUSY):
            is_quiet = self.begin.is_quiet and end.is_quiet
            self.state = None if is_quiet else Cause.BUSY

    def _find_beginning(self) -> None:
        seen = (self.end.seen - self.begin.seen)[:CONNECTIONS]
        told_all = bool((seen == self.end.most[:CONNECTIONS]).all())
        if told_all and self.end.is_quiet and not self.begin.least.any():
            self.begin = self.begin._replace(most=self.begin.least)
            self.state = None


class Audit:
    """Takes all rows of a tier on their way, and compares.

    Args:
        tier: open; only this reads its events.
        show: is given each batch, all of it; rows that an edge takes too.
    """

    def __init__(self, tier: CaptureTier, show: Show) -> None:
        self._tier = tier
        self._is_told = Kind.FAILED in tier.kinds
        self._intake = Intake(tier, show, counts=self._is_told)
        self._windows = dict[int, Window]()
        self._ended: deque[Verdict] = deque(maxlen=ENDED_MAX)
        self._met = set[int]()
        self._start_s, self._losses = time.monotonic(), tier.losses()
        self._due_s = 0.0

    def begin(self) -> None:
        """Starts the window of every namespace that there is; what waits in the ring is before."""
        if not self._is_told:
            return
        edges = dict[int, NamespaceEdge]()
        for _ in range(PATIENT_TRIES):
            self._start_s, self._losses = time.monotonic(), self._tier.losses()
            edges = self._intake.start()
            if all(found.edge.is_quiet for found in edges.values()):
                break
        self._windows = {
            inode: Window(cookie, edge, edge) for inode, (cookie, edge) in edges.items()
        }
        self._met = set(edges)

    def read(self) -> int:
        """Takes a batch of rows, counts them, shows them; how many there were."""
        return self._intake.read()

    def show_to(self, show: Show) -> None:
        """From now on rows are given to somebody else."""
        self._intake.show = show

    def due_in_s(self) -> float:
        """Seconds until the next edge should be made; 0 if now."""
        return max(0.0, self._due_s - time.monotonic())

    @property
    def has_news(self) -> bool:
        """Rows came since the last edge."""
        return self._intake.has_news

    def settle(self, tries: int = 1, *, is_last: bool = False) -> None:
        """Tries to let each window go on to now.

        Args:
            tries: so often, until it is quiet.
            is_last: there will be no other: where it was never quiet the window ends with spans.
        """
        if not self._is_told:
            return
        began_s = time.monotonic()
        self._intake.has_news = looks = False
        left: Collection[int] | None = None
        for number in range(tries):
            edges = self._intake.edges(left, looks=looks)
            if left is None:
                self._meet(edges)
            takes_all = is_last and number == tries - 1
            good = [inode for inode in edges if takes_all or self._is_good(inode, edges, looks)]
            for inode in good:
                self._windows[inode].move(edges[inode].edge, self._circumstances())
            left = edges.keys() - set(good)
            if not left:
                break
            looks = looks or any(edges[inode].edge.is_quiet for inode in left)
        now_s = time.monotonic()
        self._due_s = now_s + max(INTERVAL_S, COST_SHARE * (now_s - began_s))

    def _is_good(self, inode: int, edges: Mapping[int, NamespaceEdge], looked: bool) -> bool:
        """Whether the window may end there: it is quiet, and nothing is missing that a look might
        explain."""
        edge = edges[inode].edge
        if not edge.is_quiet or looked:
            return edge.is_quiet
        verdict = judge(inode, self._windows[inode].begin, edge, self._circumstances())
        return not any(each.missing for each in verdict.comparisons)

    def _meet(self, edges: Mapping[int, NamespaceEdge]) -> None:
        """Windows end with their namespace, and begin with new ones."""
        for inode, window in list(self._windows.items()):
            if inode not in edges or edges[inode].cookie != window.cookie:
                self._ended.append(self._verdict(inode, window, Cause.DELETED))
                del self._windows[inode]
        for inode, (cookie, edge) in edges.items():
            if inode in self._windows:
                continue
            begin = edge
            if inode not in self._met:
                # It may be new: then it began with zero, and all rows are about it.
                zero = np.zeros_like(edge.least)
                begin = edge._replace(at_s=self._start_s, least=zero, seen=NOTHING)
            self._met.add(inode)
            self._windows[inode] = Window(cookie, begin, edge, Cause.APPEARED)

    def _since(self) -> Losses:
        now, then = self._tier.losses(), self._losses
        return Losses(now.rows - then.rows, now.sockets - then.sockets, now.owners - then.owners)

    def _circumstances(self) -> Circumstances:
        since = self._since()
        return Circumstances(since.rows, since.sockets, len(self._intake.tiers))

    def _verdict(self, inode: int, window: Window, state: Cause | None) -> Verdict:
        after = (
            self._intake.tally.of(inode) - window.end.seen if state == Cause.DELETED else NOTHING
        )
        return judge(
            inode, window.begin, window.end, window.circumstances, state, _beginnings(after)
        )

    def report(self) -> Report:
        """What was found until the last edge."""
        window_s = time.monotonic() - self._start_s
        if not self._is_told:
            return Report(window_s, (), self._since(), _why_not(self._tier.tier))
        verdicts = [self._verdict(inode, each, each.state) for inode, each in self._windows.items()]
        unmet = set(self._intake.tally.inodes.tolist()) - self._met - {0}
        unread = [self._unread(inode) for inode in sorted(unmet)]
        return Report(window_s, (*verdicts, *self._ended, *unread), self._since())

    def _unread(self, inode: int) -> Verdict:
        """On a namespace that rows told of and that was never read."""
        state = Cause.NOT_ENTERED if inode in self._intake.refused else Cause.DELETED
        told = _beginnings(self._intake.tally.of(inode))
        return Verdict(inode, 0.0, (), (), {}, state, told)


def _beginnings(seen: Counts) -> int:
    return int(seen[Seen.ACTIVE] + seen[Seen.PASSIVE])


def _why_not(tier: Tier) -> str:
    names = ", ".join(rule.name for rule in RULES)
    return f"{word(tier)} is told of no connects: {names} can not be compared"
