"""What was seen compared with what the kernel counted: the verdict on a namespace, with causes.

Takes numbers and gives numbers: no file, no clock. A number that is not known exactly is a span, so
that no ratio is ever wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from connscope.tracker.audit_rows import Counts, Seen

__all__ = (
    "CONNECTIONS",
    "MIB_NAMES",
    "RULES",
    "Cause",
    "Circumstances",
    "Comparison",
    "Edge",
    "Gap",
    "Rule",
    "Verdict",
    "judge",
)


class Rule(NamedTuple):
    """Which rows equal a counter.

    Attributes:
        name: of the counter, as in RFC 4022 and nstat(8), without its ``Tcp``.
        seen: the rows.
        is_exact: it counts nothing else; otherwise the rows are a lower bound.
    """

    name: str
    seen: Seen
    is_exact: bool


RULES = (
    Rule("ActiveOpens", Seen.ACTIVE, True),
    Rule("PassiveOpens", Seen.PASSIVE, True),
    Rule("EstabResets", Seen.RESETS, True),
    Rule("AttemptFails", Seen.FAILS, False),
    Rule("RetransSegs", Seen.RETRANSMITS, False),
)
CONNECTIONS = 2
"""The first rules count connections, a number for each end."""

NOTES = (
    "TcpExtListenOverflows",
    "TcpExtListenDrops",
    "TcpExtSyncookiesRecv",
    "TcpExtTCPFastOpenActive",
    "TcpExtTCPFastOpenPassive",
    "MPTcpExtMPCapableSYNACKRX",
    "MPTcpExtMPJoinSynAckRx",
)
"""What no row tells, or what explains rows: told with a verdict, compared with nothing."""

MIB_NAMES = (*(f"Tcp{rule.name}" for rule in RULES), *NOTES)
"""The counters of an `Edge`, in order."""


class Cause(StrEnum):
    """Why less was seen than counted."""

    UNDER_WAY = "under_way"
    """The kernel counts a connect when it begins, a row tells of it when it has ended."""

    RING_LOSS = "ring_loss"
    """Rows found the ring full. Of which namespace they were nobody knows."""

    NO_MEMORY = "no_memory"
    """The kernel had no memory to remember a socket; its events are missing."""

    TIER_CHANGE = "tier_change"
    """For a part of the window another tier captured."""

    NOT_ENTERED = "not_entered"
    """Its counters may not be read."""

    DELETED = "deleted"
    """No process and no mount leads to it any more: what came after the last reading is not
    compared."""

    APPEARED = "appeared"
    """It was found after the window began: what it had counted before is not known."""

    BUSY = "busy"
    """The kernel counted on while it was read."""

    UNEXPLAINED = "unexplained"
    """None of these."""


class Edge(NamedTuple):
    """An end of a window.

    Attributes:
        at_s: when, on a monotonic clock.
        least, most: the counters of `MIB_NAMES` before and after the last rows were taken.
        seen: what rows had told until then, a number for each of `Seen`.
        under_way: handshakes that have not come to an end: of connects, of children.
    """

    at_s: float
    least: Counts
    most: Counts
    seen: Counts
    under_way: tuple[int, int] = (0, 0)

    @property
    def is_quiet(self) -> bool:
        """Nothing was counted meanwhile; what is sent again belongs to no edge."""
        exact = slice(0, len(RULES) - 1)
        return bool((self.least[exact] == self.most[exact]).all())


class Comparison(NamedTuple):
    """One counter over a window; spans where a number is not known exactly.

    Attributes:
        rule: which rows it is compared with.
        saw: rows.
        counted_least, counted_most: by the kernel.
    """

    rule: Rule
    saw: int
    counted_least: int
    counted_most: int

    @property
    def missing(self) -> int:
        """So much was certainly counted and not seen; of a lower bound nothing is."""
        return max(0, self.counted_least - self.saw) if self.rule.is_exact else 0

    @property
    def surplus(self) -> int:
        """So much was certainly seen and not counted: a mistake of ours."""
        return max(0, self.saw - self.counted_most)

    @property
    def ratio(self) -> float | None:
        """Seen of counted; None if what was counted is a span, or nothing was."""
        counted = self.counted_most
        return self.saw / counted if self.counted_least == counted and counted else None


class Gap(NamedTuple):
    """So many of a counter were not seen, for one cause."""

    counter: str
    cause: Cause
    missing: int


class Circumstances(NamedTuple):
    """What happened within a window that can explain a gap.

    Attributes:
        lost_rows, forgotten_sockets: since it began, of all namespaces.
        tiers: how many ways of capture its rows came by.
    """

    lost_rows: int = 0
    forgotten_sockets: int = 0
    tiers: int = 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """On one network namespace.

    Attributes:
        netns: its inode.
        window_s: how long the window is.
        comparisons: one for each of `RULES`; empty if nothing could be compared.
        gaps: of the exact counters, with causes.
        notes: counters that no row is compared with, by name; those that moved.
        state: why something of it is not compared; None: nothing is missing.
        uncompared: ends of connections that rows told of outside of the window.
    """

    netns: int
    window_s: float
    comparisons: tuple[Comparison, ...]
    gaps: tuple[Gap, ...]
    notes: Mapping[str, int]
    state: Cause | None = None
    uncompared: int = 0

    @property
    def saw(self) -> int:
        """Ends of connections that rows told of."""
        return sum(each.saw for each in self.comparisons[:CONNECTIONS])

    @property
    def counted(self) -> tuple[int, int]:
        """Ends of connections that the kernel counted: at least, at most."""
        chosen = self.comparisons[:CONNECTIONS]
        return sum(each.counted_least for each in chosen), sum(each.counted_most for each in chosen)

    @property
    def agrees(self) -> bool:
        """No counter contradicts the rows."""
        return not any(each.missing or each.surplus for each in self.comparisons)


def judge(
    netns: int,
    begin: Edge,
    end: Edge,
    circumstances: Circumstances,
    state: Cause | None = None,
    uncompared: int = 0,
) -> Verdict:
    """Compares what happened between two edges.

    Args:
        netns: inode of the namespace.
        begin, end: of the window.
        circumstances: of the same time.
        state, uncompared: see `Verdict`.
    """
    seen = end.seen - begin.seen
    least, most = np.maximum(end.least - begin.most, 0), end.most - begin.least
    comparisons = tuple(
        _compare(rule, place, seen, least, most) for place, rule in enumerate(RULES)
    )
    gaps = tuple(
        gap
        for place, each in enumerate(comparisons)
        for gap in _explain(each, end.under_way[place] if place < CONNECTIONS else 0, circumstances)
    )
    notes = dict(zip(NOTES, most[len(RULES) :].tolist(), strict=True))
    moved = {name: count for name, count in notes.items() if count}
    window_s = end.at_s - begin.at_s
    return Verdict(netns, window_s, comparisons, gaps, moved, state, uncompared)


def _compare(rule: Rule, place: int, seen: Counts, least: Counts, most: Counts) -> Comparison:
    return Comparison(rule, max(0, int(seen[rule.seen])), int(least[place]), int(most[place]))


def _explain(each: Comparison, under_way: int, circumstances: Circumstances) -> list[Gap]:
    """Divides what is missing among the causes that there were; none gets more than it can have
    done."""
    gaps, left = list[Gap](), each.missing
    for cause, most in (
        (Cause.UNDER_WAY, under_way),
        (Cause.RING_LOSS, circumstances.lost_rows),
        (Cause.NO_MEMORY, left if circumstances.forgotten_sockets else 0),
        (Cause.TIER_CHANGE, left if circumstances.tiers > 1 else 0),
        (Cause.UNEXPLAINED, left),
    ):
        if count := min(left, most):
            gaps.append(Gap(each.rule.name, cause, count))
            left -= count
    return gaps
