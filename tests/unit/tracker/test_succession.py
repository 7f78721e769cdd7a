"""Which tier follows which, and when a better one is tried again."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, cast

import pytest
from tests.unit.tracker.three_tiers import THREE_TIERS
from tests.unit.tracker.world import Machine, World

from connscope.capture.tier import Losses
from connscope.errors import FailedError, NotSupportedError
from connscope.row.words import Tier
from connscope.tracker.succession import CHANGES_KEPT, Succession

BTF, NETLINK, PROCFS = Tier.BTF, Tier.NETLINK, Tier.PROCFS
ERROR = FailedError("fake", "broken")
HOUR_S = 3600.0


class Line:
    """A succession in a world whose time a test lets pass.

    Attributes:
        machine: opens the tiers.
        succession: not open yet.
    """

    def __init__(self) -> None:
        self.machine = Machine(World(now_ns=0))
        self.succession = Succession(
            list(THREE_TIERS),
            cast("Any", self.machine),
            lambda: self.machine.world.now_s,
            lambda: self.machine.world.now_ns,
        )

    @property
    def now(self) -> Tier | None:
        """The tier that captures."""
        current = self.succession.current
        return current.tier if current else None

    def pass_time(self, seconds: float) -> None:
        """Nothing else happens."""
        self.machine.world.now_ns += round(seconds * 1e9)

    def die(self, after_s: float = 0) -> None:
        """The tier that captures does not any more."""
        self.pass_time(after_s)
        self.succession.replace(ERROR)

    def tries(self, tier: Tier, until_s: float, step_s: float = 1) -> list[float]:
        """Climbs as soon as it may; how long after the last one each try of that tier was."""
        start_s, first = self.machine.world.now_s, len(self.machine.tried)
        while self.machine.world.now_s < start_s + until_s:
            self.pass_time(step_s)
            self.succession.climb()
        at = [at_s for at_s, tried in self.machine.tried[first:] if tried == tier]
        return [after - before for before, after in pairwise((start_s, *at))]


@pytest.fixture
def line() -> Line:
    """A line that is open, with its best tier."""
    made = Line()
    made.succession.open()
    return made


def worse(line: Line) -> Line:
    """Its best tier can not be had any more, and the next one captures."""
    line.machine.missing = {BTF}
    line.die()
    assert line.now == NETLINK
    return line


def blind(line: Line) -> Line:
    """None can be had any more."""
    line.machine.missing = set(THREE_TIERS)
    line.die()
    assert line.now is None
    return line


def test_best_one_is_taken(line: Line):
    """The others are not even tried."""
    assert [tier for _, tier in line.machine.tried] == [BTF]
    assert (line.now, line.succession.refusals) == (BTF, {})


def test_next_one_is_taken_where_the_best_one_is_refused():
    """Why is kept."""
    line = Line()
    line.machine.missing = {BTF}
    line.succession.open()
    assert line.now == NETLINK
    assert [*line.succession.refusals] == [BTF]


def test_error_of_the_best_one_is_raised_where_none_can_be_had():
    """It is the one that people want."""
    line = Line()
    line.machine.missing = set(THREE_TIERS)
    with pytest.raises(NotSupportedError, match="no BTF"):
        line.succession.open()


def test_tier_that_dies_is_started_again(line: Line):
    """And the dead one closed."""
    line.die()
    assert (line.now, line.machine.closed, len(line.machine.opened)) == (BTF, [BTF], 2)


def test_tier_that_dies_twice_within_a_minute_is_followed_by_the_next_worse(line: Line):
    """Why is kept."""
    line.die(after_s=100)
    line.die(after_s=59)
    assert (line.now, line.succession.refusals) == (NETLINK, {BTF: ERROR})


def test_tier_that_dies_now_and_then_is_started_again(line: Line):
    """A minute later it is forgiven."""
    for _ in range(5):
        line.die(after_s=61)
        assert line.now == BTF


def test_each_tier_has_its_own_deaths(line: Line):
    """The next one is started again as well."""
    for expected in (BTF, NETLINK, NETLINK, PROCFS, PROCFS, None):
        line.die()
        assert line.now == expected


def test_better_tier_is_tried_ever_more_rarely(line: Line):
    """After 1, 2, 4 and so on up to 60 minutes."""
    found = worse(line).tries(BTF, until_s=6 * HOUR_S)
    expected = [60, 120, 240, 480, 960, 1920, *[3600] * 4]
    assert found == pytest.approx(expected, abs=1)


def test_better_tier_takes_over_once_it_can_be_had(line: Line):
    """The worse one is closed only then."""
    worse(line).machine.missing.clear()
    line.pass_time(59)
    assert not line.succession.climb()
    line.pass_time(1)
    assert line.succession.climb()
    assert (line.now, line.machine.closed) == (BTF, [BTF, NETLINK])
    assert line.succession.refusals == {}


def test_worse_one_goes_on_while_a_better_one_is_refused(line: Line):
    """It is not closed for the try, and that is no change."""
    worse(line)
    changes = [*line.succession.changes]
    line.tries(BTF, until_s=1000)
    assert (line.now, line.machine.closed) == (NETLINK, [BTF])
    assert [*line.succession.changes] == changes


def test_better_tier_that_keeps_dying_is_tried_ever_more_rarely(line: Line):
    """Soon after it was tried again it dies, twice."""
    waits = list[float]()
    line.die()
    line.die()
    for _ in range(8):
        since_s = line.machine.world.now_s
        while not line.succession.climb():
            line.pass_time(1)
        waits.append(line.machine.world.now_s - since_s)
        line.die()
        line.die(after_s=1)
        assert line.now == NETLINK
    assert waits == pytest.approx([60, 120, 240, 480, 960, 1920, 3600, 3600], abs=2)


def test_tier_that_lived_for_long_is_tried_soon_again(line: Line):
    """It has proved itself, however often it had to be tried before."""
    worse(line)
    line.tries(BTF, until_s=HOUR_S)
    line.machine.missing.clear()
    line.tries(BTF, until_s=HOUR_S)
    assert line.now == BTF
    line.pass_time(HOUR_S)
    worse(line)
    assert line.tries(BTF, until_s=200) == pytest.approx([60, 120], abs=1)


def test_best_tier_that_dies_for_the_first_time_is_tried_soon_again(line: Line):
    """Nobody had to try it while it was there."""
    line.tries(BTF, until_s=HOUR_S - 100)
    worse(line)
    assert line.tries(BTF, until_s=200) == pytest.approx([60, 120], abs=1)


def test_where_there_is_none_all_are_tried_soon(line: Line):
    """After 1, 2, 4 and so on up to 60 seconds."""
    blind(line)
    found = line.tries(BTF, until_s=250, step_s=0.5)
    assert found == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60, 60], abs=0.5)
    assert {tier for _, tier in line.machine.tried[-3:]} == set(THREE_TIERS)


def test_where_all_die_at_once_they_are_tried_ever_more_rarely(line: Line):
    """To open them in vain costs more than to be refused."""
    blind(line).machine.missing.clear()
    waits = list[float]()
    for _ in range(8):
        since_s = line.machine.world.now_s
        while not line.succession.climb():
            line.pass_time(0.5)
        waits.append(line.machine.world.now_s - since_s)
        while line.now:
            line.die()
    assert waits == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60], abs=0.5)


def test_where_one_lived_for_a_while_all_are_tried_soon(line: Line):
    """It was another fault."""
    blind(line)
    line.tries(BTF, until_s=HOUR_S)
    line.machine.missing.clear()
    line.tries(BTF, until_s=60)
    line.pass_time(61)
    assert blind(line).tries(BTF, until_s=3) == pytest.approx([1, 2], abs=1)


def test_after_a_time_without_any_better_ones_are_not_tried_sooner(line: Line):
    """One captures: a minute is soon enough."""
    blind(line).machine.missing.remove(PROCFS)
    line.tries(BTF, until_s=1)
    assert line.tries(BTF, until_s=200) == pytest.approx([60, 120], abs=1)


def test_first_that_can_be_had_again_captures(line: Line):
    """A worse one will do."""
    blind(line).machine.missing.remove(PROCFS)
    line.tries(BTF, until_s=1)
    assert line.now == PROCFS


def test_death_without_a_tier_is_nothing(line: Line):
    """Somebody else has closed it."""
    blind(line)
    tried = len(line.machine.tried)
    line.die()
    assert (line.now, len(line.machine.tried)) == (None, tried)


def test_losses_of_all_are_added(line: Line):
    """Those of dead ones too."""
    for _ in range(2):
        line.machine.current.lose = 3
        for _ in range(3):
            line.machine.world.begin(line.machine.world.make(1))
        line.die()
    assert line.succession.losses() == Losses(rows=6)


def test_tier_that_can_not_even_tell_its_losses_is_closed(line: Line):
    """It is broken."""

    def broken() -> Losses:
        raise ERROR

    line.machine.current.losses = broken  # type: ignore[method-assign]
    line.die()
    assert (line.now, line.machine.closed) == (BTF, [BTF])


def test_each_change_says_who_followed_whom_and_why(line: Line):
    """From the start on."""
    line.die()
    blind(line).machine.missing.clear()
    line.tries(BTF, until_s=2)
    changes = [(each.before, each.after, each.reason) for each in line.succession.changes]
    assert changes == [
        (None, BTF, "start"),
        (BTF, BTF, "fake: broken"),
        (BTF, None, "fake: broken"),
        (None, BTF, "tried again"),
    ]


def test_only_the_last_changes_are_kept(line: Line):
    """However long it runs."""
    for _ in range(2 * CHANGES_KEPT):
        line.die(after_s=61)
    assert len(line.succession.changes) == CHANGES_KEPT


def test_it_is_closed_once(line: Line):
    """A second call does nothing."""
    line.succession.close()
    line.succession.close()
    assert (line.machine.closed, line.now) == ([BTF], None)
