"""Makes traffic while a tier captures, until that tier has told what its contract claims."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar, cast

from connscope.row.columns import Rows
from connscope.row.words import Kind, Tier
from tests.kernel.held_traffic import Hold, Open, Play, Traffic
from tests.kernel.recorder import PATIENCE_S, Recorder, describe
from tests.kernel.tiers_here import SEES_ALL
from tests.kernel.traffic.agreement import rows_of
from tests.traffic.__main__ import MODULES
from tests.traffic.kinds import KINDS
from tests.traffic.report import End

__all__ = ("Close", "Told", "play", "told_of", "told_of_older")

Side = TypeVar("Side", End, Open)


@dataclass(frozen=True)
class Close:
    """A closed row with the truth about it.

    Attributes:
        row: what the tier told.
        end: what the application counted.
        opened: how it was while it was waited with; None: it was not open then.
    """

    row: Any
    end: End
    opened: Open | None


@dataclass(frozen=True)
class Told:
    """What a tier told of some traffic.

    Attributes:
        tier: which.
        traffic: what was made.
        rows: all rows since it began.
        lost: rows that were counted as lost since then.
        looked: each connection was looked at before it closed.
        older: each was open before the tier was.
    """

    tier: Tier
    traffic: Traffic
    rows: Rows = field(repr=False)
    lost: int
    looked: bool
    older: bool = False

    @property
    def claimed(self) -> list[End]:
        """The ends whose close the tier has to tell: TCP that was open, in a namespace that it
        finds; of procfs those that it could look at."""
        closed = [
            end for end in self.traffic.ends if end.outcome == "closed" and end.protocol == "tcp"
        ]
        if self.tier in SEES_ALL:
            return closed
        seen = {(each.netns, each.local, each.peer) for each in self.traffic.opened}
        return [
            end
            for end in closed
            if end.netns in self.traffic.found_namespaces
            and (self.tier == Tier.NETLINK or (end.netns, end.local, end.peer) in seen)
        ]

    def closes(self) -> list[Close]:
        """Each claimed end with its closed row.

        Raises:
            AssertionError: one has no row that was not counted as lost, or one too many.
        """
        found, missing = list[Close](), 0
        openings = _by_place(self.traffic.opened)
        for place, ends in _by_place(self.claimed).items():
            rows = rows_of(self.rows, ends[0], Kind.CLOSED)
            missing += len(ends) - len(rows)
            opened: list[Open | None] = [*openings.get(place, ())]
            opened += [None] * (len(ends) - len(opened))
            sides = list(zip(ends, opened, strict=False))
            if len(rows) < len(ends) and self.lost:  # the cookie says which are there
                told = set(rows["socket_id"].tolist())
                sides = [(end, side) for end, side in sides if side and side.cookie in told]
            assert len(rows) == len(sides), (ends, describe(rows))
            found += (Close(row, *side) for row, side in zip(rows, sides, strict=True))
        assert missing <= self.lost
        return found


def _by_place(sides: Iterable[Side]) -> dict[tuple[int, str, str], list[Side]]:
    """Those of the same namespace and ends, in their order."""
    found = defaultdict[tuple[int, str, str], list[Side]](list)
    for side in sides:
        found[side.netns, side.local, side.peer].append(side)
    return found


def play(kind: str, **options: int) -> Play:
    """What makes that kind of traffic."""
    assert MODULES  # with them come all kinds
    return partial(KINDS[kind].maker, **options)


def told_of(recorder: Recorder, *plays: Play, residents: bool = False, looks: bool = True) -> Told:
    """Makes the traffic and records until all that the contract claims was told.

    Args:
        recorder: of an open tier.
        plays: what to do, a process for each.
        residents: a process lives in each network namespace that has a connection.
        looks: nothing closes before the tier has told that it opened.
    """
    start, lost = len(recorder.drain()), recorder.tier.losses().rows
    tier, traffic = recorder.tier.tier, Traffic()
    with traffic.making(*plays, residents=residents) as holds:
        waiting, owners = list[Hold](), OwnerLooks(recorder)
        for hold in holds:
            waiting += [hold] if hold else []
            rows = recorder.drain()[start:]
            is_seen = bool(waiting) and _are_seen(rows, traffic, tier)
            if waiting and (not looks or owners.were_enough(is_seen)):
                for each in waiting:
                    each.release()
                waiting = []
            for each in waiting:
                assert each.age_s < PATIENCE_S, (
                    f"{recorder.tier.losses()}, not all opened: {each.opened}\n{describe(rows)}"
                )
    return _completed(
        recorder, lambda rows, lost_now: Told(tier, traffic, rows[start:], lost_now - lost, looks)
    )


class OwnerLooks:
    """A tier that reads /proc may see a socket in one look and its owner only in the next: a busy
    machine stops it between the two files."""

    def __init__(self, recorder: Recorder) -> None:
        self._tier, self._looks, self._enough = cast("Any", recorder.tier), 0, 0
        if self._tier.tier not in SEES_ALL:
            self._count_looks(self._tier.inner)

    def _count_looks(self, inner: Any) -> None:
        look = inner.look

        def counted() -> Rows:
            rows: Rows = look()
            self._looks += 1
            return rows

        inner.look = counted

    def were_enough(self, is_seen: bool) -> bool:
        """Whether all is seen, and there was one whole look more since."""
        if not is_seen or self._tier.tier in SEES_ALL:
            self._enough = 0
            return is_seen
        self._enough = self._enough or self._looks + 1
        return self._looks >= self._enough


def told_of_older(open_tier: Callable[[], Recorder], *plays: Play) -> Told:
    """The same, and the tier is opened when each play waits for the first time."""
    traffic = Traffic()
    with traffic.making(*plays) as holds:
        waiting = list[Hold]()
        for hold in holds:
            waiting += [hold] if hold else []
            if len(waiting) == len(plays):
                recorder = open_tier()
                for each in waiting:
                    each.release()
                waiting = []
    return _completed(
        recorder,
        lambda rows, lost: Told(recorder.tier.tier, traffic, rows, lost, looked=True, older=True),
    )


def _completed(recorder: Recorder, tell: Callable[[Rows, int], Told]) -> Told:
    """What was told once it is all that is claimed."""
    end = time.monotonic() + PATIENCE_S
    while not _is_complete(told := tell(recorder.drain(), recorder.tier.losses().rows)):
        assert time.monotonic() < end, (
            f"{told.lost} lost of {told.claimed}, only {describe(told.rows)}"
        )
        recorder.tier.wait(0.05)
    return told


def _are_seen(rows: Rows, traffic: Traffic, tier: Tier) -> bool:
    wanted = [
        each
        for each in traffic.opened
        if each.protocol != "udp" and (each.is_found or tier in SEES_ALL)
    ]
    return all(
        len(rows_of(rows, cast("End", opened[0]), Kind.OPENED)) >= len(opened)
        for opened in _by_place(wanted).values()
    )


def _is_complete(told: Told) -> bool:
    missing = sum(
        max(len(ends) - len(rows_of(told.rows, ends[0], Kind.CLOSED)), 0)
        for ends in _by_place(told.claimed).values()
    )
    return missing <= told.lost
