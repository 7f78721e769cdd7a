"""How the tracker goes on from tier to tier, and what readers get; test_histories has the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.tracker.following import Following, following, told_of
from tests.unit.tracker.three_tiers import THREE_TIERS

from connscope.errors import FailedError, NotSupportedError
from connscope.row.columns import Rows
from connscope.row.words import Kind, Tier
from connscope.tracker.kill_switch import ORDER

OPENED, CLOSED, FAILED = Kind.OPENED, Kind.CLOSED, Kind.FAILED
BTF, NETLINK = Tier.BTF, Tier.NETLINK


def test_what_a_tier_told_before_it_died_is_told():
    """Its events came, then its look failed: all in one round."""
    followed = following()

    def fails() -> Rows:
        raise FailedError("fake", "no look")

    followed.opens(1)
    followed.world.end(1)
    followed.tier.look = fails  # type: ignore[method-assign]
    assert followed.advance(after_s=1.1) == [(OPENED, 1), (CLOSED, 1)]
    assert followed.machine.closed == [BTF]


@pytest.mark.parametrize("error", [FailedError("fake", "broken"), OSError(5, "broken")])
def test_tier_dies_of_an_error_of_the_kernel(error: Exception):
    """Why is told."""
    followed = following()

    def fails() -> Rows:
        raise error

    followed.tier.events = fails  # type: ignore[method-assign]
    followed.advance()
    assert (followed.machine.closed, followed.tracker.tier) == ([BTF], followed.machine.opened[1])
    assert "broken" in followed.tracker.changes[-1].reason


def test_tier_that_dies_while_one_waits_is_replaced_in_the_next_round():
    """Also if nothing else of it fails."""
    followed = following()
    followed.tier.broken = True
    assert followed.tracker.wait(100)
    followed.tier.broken = False
    for _ in range(3):
        followed.advance()
    assert (followed.machine.closed, len(followed.machine.opened)) == ([BTF], 2)


def test_order_to_kill_does_not_keep_the_next_one_from_capturing(tmp_path: Path):
    """It came while there was none."""
    followed = following(debug_dir=str(tmp_path))
    followed.machine.missing, followed.tier.broken = set(THREE_TIERS), True
    followed.advance()
    followed.machine.missing.clear()
    (tmp_path / ORDER).touch()
    for _ in range(3):
        followed.advance(after_s=60)
    assert followed.tracker.tier is not None


def test_defect_of_ours_is_no_death():
    """Whoever catches everything hides it."""
    followed = following()

    def fails() -> Rows:
        raise ZeroDivisionError

    followed.tier.events = fails  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        followed.advance()


def test_better_tier_takes_over_with_a_look():
    """What the worse one had not seen is told, what it had is not told again."""
    followed = following()
    first = followed.opens(1)
    followed.machine.missing, followed.tier.broken = {BTF}, True
    followed.advance()
    followed.machine.missing.clear()
    second = followed.opens(2)
    assert followed.advance(after_s=60) == [(OPENED, second)]
    assert (followed.tier.tier, followed.in_table()) == (BTF, [first, second])


def test_kill_switch_ends_the_tier(tmp_path: Path):
    """The next one follows in the same round, and nothing is told twice."""
    followed = following(debug_dir=str(tmp_path))
    serial = followed.opens()
    followed.advance()
    (tmp_path / ORDER).touch()
    assert followed.advance() == []
    assert (followed.machine.closed, followed.in_table()) == ([BTF], [serial])
    assert "kill switch" in followed.tracker.changes[-1].reason


def test_error_of_the_best_tier_is_raised_where_none_can_be_opened():
    """It is the one that people want."""
    followed = Following()
    followed.machine.missing = set(THREE_TIERS)
    with pytest.raises(NotSupportedError, match="no BTF"):
        followed.open()
    assert not followed.world.tells


def test_tiers_that_all_die_of_their_first_look_are_none():
    """Whoever opens it learns why the best one did."""
    followed = Following()

    def dies_in_its_look() -> None:
        followed.tier.in_look = lambda: setattr(followed.tier, "broken", True)
        followed.machine.in_open = dies_in_its_look

    followed.machine.in_open = dies_in_its_look
    with pytest.raises(FailedError, match="broken"):
        followed.open()
    assert (followed.tracker.tier, followed.world.tells) == (None, [])


def test_tier_that_died_twice_is_followed_within_the_same_round():
    """All that dies of its first look is done with at once."""
    followed = following()
    serial = followed.opens()

    def breaks_in_its_look() -> None:
        followed.tier.in_look = lambda: setattr(followed.tier, "broken", True)

    followed.machine.in_open, followed.tier.broken = breaks_in_its_look, True
    followed.advance()
    assert [tier.tier for tier in followed.machine.opened] == [BTF, BTF, NETLINK]
    assert (followed.told, followed.in_table()) == ([(OPENED, serial)], [serial])


def test_tracker_goes_on_without_any_tier():
    """Nothing is lost: what is open stays, and what came meanwhile is told later."""
    followed = following()
    before = followed.opens(1)
    followed.advance()
    followed.machine.missing, followed.tier.broken = set(THREE_TIERS), True
    assert followed.advance() == []
    assert (followed.tracker.tier, followed.in_table()) == (None, [before])
    meanwhile = followed.opens(2)
    for _ in range(50):
        assert followed.advance(after_s=1) == []
    followed.machine.missing.clear()
    assert followed.advance(after_s=60) == [(OPENED, meanwhile)]
    assert followed.in_table() == [before, meanwhile]


def test_tracker_without_any_tier_does_not_spin():
    """It waits, and tries when it is time to, not in each round."""
    followed = following()
    followed.machine.missing, followed.tier.broken = set(THREE_TIERS), True
    followed.advance()
    tried = len(followed.machine.tried)
    for _ in range(100):
        followed.advance()
    assert len(followed.machine.tried) == tried


# Readers


def test_readers_get_each_connection_that_ended_once():
    """Closed and failed ones; each reader for itself."""
    followed = following()
    for name in ("a", "b"):
        followed.tracker.take(name)
    followed.world.end(followed.opens(1))
    followed.world.fail(followed.world.make(2))
    followed.opens(3)
    followed.advance()
    assert told_of(followed.tracker.take("a").rows) == [(CLOSED, 1), (FAILED, 2)]
    assert told_of(followed.tracker.take("a").rows) == []
    assert told_of(followed.tracker.take("b").rows) == [(CLOSED, 1), (FAILED, 2)]


def test_readers_get_what_a_look_found_to_have_ended():
    """No event told of it."""
    followed = following()
    followed.tracker.take("a")
    serial = followed.opens()
    followed.advance()
    followed.tier.lose = 1
    followed.world.end(serial)
    for _ in range(3):
        followed.advance(after_s=1.1)
    assert told_of(followed.tracker.take("a").rows) == [(CLOSED, serial)]


def test_after_a_loss_the_second_look_comes_soon_too():
    """A connection whose end was lost is gone after two looks, not after two intervals."""
    followed = following()
    followed.opens(1)
    followed.advance()
    followed.tier.lose = 1
    followed.world.end(1)
    followed.opens(2)
    followed.advance()
    followed.advance(after_s=0.3)
    followed.advance(after_s=0.3)
    assert (CLOSED, 1) in followed.told


def test_what_a_worse_tier_heard_while_a_better_one_opened_is_told():
    """The better one came too late for it."""
    followed = following()
    followed.opens(1)
    followed.machine.missing.add(BTF)
    followed.tier.broken = True
    followed.advance(after_s=1.1)
    followed.advance(after_s=1.1)
    assert followed.tier.tier == NETLINK
    followed.machine.missing.clear()
    followed.machine.before_open = lambda: followed.world.end(1)
    followed.advance(after_s=61)
    assert followed.tier.tier == BTF
    assert followed.told.count((CLOSED, 1)) == 1
    assert followed.tracker.table.corrections.closings == 0


def test_events_press_once_their_room_is_filling():
    """Until then they may wait for the next look."""
    followed = following(look_interval_s=10)
    followed.advance()
    for port in range(1, 4):
        followed.opens(port)
    assert not followed.tracker.is_pressing()
    followed.opens(4)
    assert followed.tracker.is_pressing()
    followed.advance()
    assert not followed.tracker.is_pressing()


def test_look_that_is_due_presses():
    """Also where nothing happens."""
    followed = following(look_interval_s=10)
    followed.advance()
    followed.pass_time(9)
    assert not followed.tracker.is_pressing()
    followed.pass_time(1)
    assert followed.tracker.is_pressing()


def test_tier_that_dies_of_the_question_presses():
    """And is replaced in the next round."""
    followed = following(look_interval_s=10)
    followed.advance()
    followed.tier.broken = True
    assert followed.tracker.is_pressing()
    followed.advance()
    assert [each.reason for each in followed.tracker.changes] == ["start", "fake: broken"]
