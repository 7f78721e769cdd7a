"""The process that tracks: a report after each look, and one more at the end."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from connscope.agent.capturing import Capturing
from connscope.agent.channel import make_channel
from connscope.agent.ended import Ended
from connscope.agent.host import Host
from connscope.capture.tier import Losses
from connscope.config import Config
from connscope.errors import FailedError
from connscope.report.report import Report
from connscope.row.columns import ROW, Rows
from connscope.row.words import Kind, Tier
from tests.unit.report.reports import table_of

HOST = Host("4f1c", "web-1", "b0", 5)
OPEN = table_of({1: 1, 2: 2}, kind=Kind.SNAPSHOT)


class Tracked:
    """A tracker that goes through a script: in each round what is told, and whether it looked."""

    def __init__(self, *rounds: tuple[Rows, bool]) -> None:
        self.rounds = list(rounds)
        self.looks = 1
        self.tier: Any = SimpleNamespace(tier=Tier.BTF, limits=("a limit",))
        self.at_end: Callable[[], None] = lambda: None
        self.pressing: list[bool] = []
        self.asked = 0

    def wait(self, timeout_s: float) -> bool:
        """There is always something."""
        if not self.rounds:
            self.at_end()
        return True

    def is_pressing(self) -> bool:
        """As the script has it; afterwards always."""
        self.asked += 1
        return self.pressing.pop(0) if self.pressing else True

    def advance(self) -> Rows:
        """The next round; after the last one nothing happens but looks."""
        told, looked = self.rounds.pop(0) if self.rounds else (ended(), True)
        self.looks += looked
        return told

    def look_now(self) -> None:
        """The next round looks."""

    def connections(self) -> SimpleNamespace:
        """Always the same."""
        return SimpleNamespace(rows=OPEN.copy())

    def losses(self) -> Losses:
        """Three rows."""
        return Losses(rows=3)

    def audit(self) -> None:
        """There is none."""


def ended(*ids: int) -> Rows:
    """Closed ones of those ids."""
    return table_of(dict.fromkeys(ids, 7), kind=Kind.CLOSED)


def reports_of(tracked: Tracked, **more: Any) -> list[Report]:
    """What is reported until the script is over."""
    ours, theirs = make_channel()
    capturing = Capturing(tracked, ours, HOST, Config(), **{"early": ended()} | more)  # type: ignore[arg-type]
    tracked.at_end = capturing.stop
    found = list[Report]()
    try:
        capturing.run()
    finally:
        ours.close()
        while (report := theirs.receive()) is not None:
            found.append(report)
        theirs.close()
    return found


def test_one_report_for_each_look():
    """The first at once, the last at the end; all in sequence, each on the one before."""
    reports = reports_of(Tracked((ended(), False), (ended(), True), (ended(), False)))
    assert [each.sequence for each in reports] == list(range(len(reports)))
    assert [each.base for each in reports] == [None, *range(len(reports) - 1)]
    assert len(reports) == 3


def test_what_ended_is_reported_once():
    """Of all rounds since the last report, and of those before the first."""
    tracked = Tracked((ended(11), False), (ended(12), True), (ended(13), False))
    reports = reports_of(tracked, early=ended(10))
    assert [each.ended["connection_id"].tolist() for each in reports][:2] == [[10], [11, 12]]
    assert [n for each in reports for n in each.ended["connection_id"].tolist()] == [10, 11, 12, 13]


def test_events_wait_until_it_presses():
    """They are taken in together, and each is reported."""
    tracked = Tracked((ended(11), True))
    tracked.pressing = [False, False, True]
    asked, advance = list[int](), tracked.advance

    def noted_advance() -> Rows:
        asked.append(tracked.asked)
        return advance()

    tracked.advance = noted_advance  # type: ignore[method-assign]
    reports = reports_of(tracked)
    assert asked[0] == 3
    assert [n for each in reports for n in each.ended["connection_id"].tolist()] == [11]


def test_what_only_opened_did_not_end():
    """It is among what is open."""
    opened = table_of({5: 5}, kind=Kind.OPENED)
    assert not any(len(each.ended) for each in reports_of(Tracked((opened, True))))


def test_a_full_report_when_it_is_asked_for():
    """The next one."""
    ours, theirs = make_channel()
    tracked = Tracked((ended(), True), (ended(), True))
    theirs.ask_full()
    capturing = Capturing(tracked, ours, HOST, Config(), ended())  # type: ignore[arg-type]
    tracked.at_end = capturing.stop
    capturing._report()
    theirs.ask_full()
    capturing._report()
    capturing._report()
    ours.close()
    told = [theirs.receive() for _ in range(3)]
    theirs.close()
    assert [each.full for each in told if each] == [True, True, False]


def test_says_who_looked_how():
    """With what went missing, and the traffic that is our own."""
    first, *others = reports_of(Tracked((ended(), True), (ended(), True)))
    look = first.look
    assert (look.host_id, look.boot_id, look.session_ns) == ("4f1c", "b0", 5)
    assert (look.tier, look.limits, look.losses["rows"]) == (Tier.BTF, ("a limit",), 3)
    assert look.groups["traffic"] == "exact"
    assert first.open["bytes_sent"].tolist() == OPEN["bytes_sent"].tolist()
    own = [(each.pid, each.what) for report in others for each in report.names]
    assert own == [(os.getpid(), "own")]


def test_without_a_tier_it_says_so():
    """It goes on: another one may come."""
    tracked = Tracked((ended(), True))
    tracked.tier = None
    look = reports_of(tracked)[0].look
    assert (look.tier, look.groups) == (Tier.UNKNOWN, {})
    assert "nothing captures" in look.limits[0]


def test_ends_with_its_other_processes():
    """Which one, says the error."""

    def check() -> None:
        raise FailedError("connscope", "its server process was killed")

    with pytest.raises(FailedError, match="server process"):
        reports_of(Tracked((ended(), True)), check=check)


def test_too_many_that_ended_give_way():
    """The oldest, counted; the memory of a flood is bounded."""
    kept = Ended(rows_max=5)
    for number in range(1, 31):
        kept.add(ended(number))
        assert kept._count <= 10
    assert kept.take()["connection_id"].tolist() == [26, 27, 28, 29, 30]
    assert (kept.dropped, len(kept.take()), kept.take().dtype) == (25, 0, ROW)
