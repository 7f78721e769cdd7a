"""The tracker, one fact at a time; test_histories has whole histories."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.tracker.following import Following, following, make_tracker, told_of
from tests.unit.tracker.world import Machine, World

from connscope.capture.ladder import LADDER
from connscope.errors import FailedError, NotSupportedError
from connscope.row.columns import Rows
from connscope.row.words import Group, Kind, Protocol, State, Tier
from connscope.tracker.kill_switch import ORDER
from connscope.tracker.tracker import RESYNC_S

OPENED, CLOSED, FAILED, LOST = Kind.OPENED, Kind.CLOSED, Kind.FAILED, Kind.LOST
BTF, NETLINK, PROCFS = Tier.BTF, Tier.NETLINK, Tier.PROCFS
SHORT_S = 0.01
LOOK_S = 1.0


def happens_in_look(followed: Following, happens: Callable[[], Any]) -> list[tuple[Kind, int]]:
    """Something happens in the middle of a look; what is told in that round."""
    followed.tier.in_look = happens
    return followed.advance(after_s=1.1)


def shown_too(followed: Following, **columns: Any) -> int:
    """Every look shows a socket more, with these columns; its number."""
    made, real = followed.world.make(50), followed.tier.look

    def look() -> Rows:
        row = made.row(followed.tier.tier, Kind.SNAPSHOT, followed.world.now_ns)
        for name, value in columns.items():
            row[name] = value
        return np.concatenate((real(), row))

    followed.tier.look = look  # type: ignore[method-assign]
    return made.serial


def late_event(followed: Following, seconds: float) -> None:
    """An event comes, and then one that is so much older."""
    world = followed.world
    world.end(followed.opens(2))
    world.now_ns -= int(seconds * 1e9)
    world.end(followed.opens(3))
    world.now_ns += int(seconds * 1e9)


# Looks


def test_first_look_tells_nobody_of_what_was_there_before():
    """It is in the table."""
    followed = Following()
    before = [followed.opens(1), followed.opens(2, listener=True)]
    assert followed.open().told == []
    assert (followed.in_table(), followed.tracker.table.corrections.openings) == (before, 0)


@pytest.mark.parametrize("closes", [False, True])
def test_connection_that_opens_while_the_tier_is_opened_is_told(closes: bool):
    """Its events were there before the first look."""
    followed = Following()
    followed.machine.in_open = lambda: (followed.opens(1), closes and followed.world.end(1))
    assert followed.open().told == [(OPENED, 1), (CLOSED, 1)][: 1 + closes]
    assert followed.in_table() == [1][closes:]


def test_opening_during_a_look_is_told_by_its_event():
    """It waits in the ring, and knows better than the look when that was."""
    followed = following()
    followed.tier.in_look = lambda: followed.opens(1)
    followed.pass_time(1.1)
    (row,) = followed.tracker.advance()
    assert (row["kind"], row["opened_ns"]) == (OPENED, followed.world.open[1].opened_ns)
    assert row["exact"] & Group.LIFE
    assert followed.tracker.table.corrections.openings == 0


def test_life_during_a_look_is_told_by_its_events():
    """The look did not see it, or saw it when it was over."""
    followed = following()
    assert happens_in_look(followed, lambda: followed.world.end(followed.opens(1))) == [
        (OPENED, 1),
        (CLOSED, 1),
    ]
    assert followed.tracker.table.corrections.closings == 0


def test_what_came_after_the_look_began_is_not_missing_in_it():
    """Not even where the first look that misses something counts, as without events of ends."""
    followed = following()
    followed.tier.kinds -= {CLOSED}
    followed.tier.left_out.add(1)
    assert happens_in_look(followed, lambda: followed.opens(1)) == [(OPENED, 1)]
    assert followed.in_table() == [1]
    followed.tier.left_out.add(1)
    assert followed.advance(after_s=1.1) == [(CLOSED, 1)]


def test_tier_that_tells_of_ends_may_overlook_a_connection_once():
    """Its socket moved while it was read; without such events the first miss counts."""
    followed = following()
    serial = followed.opens()
    followed.tier.left_out.add(serial)
    assert followed.advance(after_s=1.1) == [(OPENED, serial)]
    assert followed.advance(after_s=1.1) == []
    assert followed.in_table() == [serial]


def test_look_comes_when_it_is_due_and_not_before():
    """Every look_interval_s."""
    followed = following(look_interval_s=5)
    followed.tier.silent = True
    followed.opens()
    assert followed.advance(after_s=4.9) == []
    assert followed.advance(after_s=0.2) == [(OPENED, 1)]


def test_udp_is_in_the_table_and_not_told():
    """Neither when it comes nor when it goes."""
    followed = following()
    serial = shown_too(followed, protocol=Protocol.UDP)
    assert followed.advance(after_s=1.1) == []
    assert followed.in_table() == [serial]
    del followed.tier.look
    followed.advance(after_s=1.1)
    assert followed.advance(after_s=1.1) == []
    assert followed.in_table() == []


@pytest.mark.parametrize("state", [State.SYN_SENT, State.SYN_RECV])
def test_connection_that_is_not_open_yet_is_not_in_the_table(state: State):
    """It may still fail."""
    followed = following()
    shown_too(followed, state=state)
    assert followed.advance(after_s=1.1) == []
    assert followed.in_table() == []


# Doubts


def test_after_a_loss_the_next_look_comes_soon():
    """As soon as it may after the last one, and not at once."""
    followed = following(look_interval_s=60)
    followed.tier.lose = 1
    serial = followed.opens()
    assert [kind for kind, _ in followed.advance(after_s=SHORT_S)] == [LOST]
    assert followed.advance(after_s=RESYNC_S / 2) == []
    assert followed.advance(after_s=RESYNC_S / 2) == [(OPENED, serial)]


def test_event_that_came_late_is_counted_and_the_next_look_comes_soon():
    """Who is out of order by a second may be so by more."""
    followed = following(look_interval_s=60)
    late_event(followed, 1.01)
    followed.tier.silent = True
    serial = followed.opens(7)
    assert (OPENED, serial) not in followed.advance(after_s=SHORT_S)
    assert followed.tracker.late == 2
    assert followed.advance(after_s=RESYNC_S) == [(OPENED, serial)]


def test_little_disorder_is_no_reason():
    """Processors do not share a clock to the last nanosecond."""
    followed = following(look_interval_s=60)
    late_event(followed, 0.99)
    followed.tier.silent = True
    followed.opens(7)
    followed.advance(after_s=SHORT_S)
    assert (followed.tracker.late, followed.advance(after_s=1)) == (0, [])


def test_event_of_the_future_makes_no_other_late():
    """One wrong clock is not believed by all that follow."""
    followed = following()
    followed.pass_time(100)
    followed.opens(1)
    followed.pass_time(-100)
    followed.opens(2)
    followed.advance(after_s=SHORT_S)
    followed.opens(3)
    followed.advance(after_s=SHORT_S)
    assert followed.tracker.late == 0


# Tiers


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
    followed.advance()
    assert (followed.machine.closed, len(followed.machine.opened)) == ([BTF], 2)


def test_order_to_kill_does_not_keep_the_next_one_from_capturing(tmp_path: Path):
    """It came while there was none."""
    followed = following(debug_dir=str(tmp_path))
    followed.machine.missing, followed.tier.broken = set(LADDER), True
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
    followed.machine.missing = set(LADDER)
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


# Waiting


def test_wait_ends_with_an_event():
    """It need not be time for a look."""
    followed = following()
    followed.opens()
    assert followed.tracker.wait(SHORT_S)


def test_wait_ends_when_a_look_is_due():
    """However long one would wait."""
    followed = following()
    assert followed.tracker.wait(100)
    assert followed.world.now_s == pytest.approx(101, abs=0.01)


def test_wait_ends_when_the_time_is_over():
    """Without anything to do."""
    followed = following()
    assert not followed.tracker.wait(0.5)
    assert followed.world.now_s == pytest.approx(100.5, abs=0.01)


# The end


def stop_twice(followed: Following) -> None:
    """One call after the other."""
    followed.tracker.stop()
    followed.tracker.close()


def stop_from_two_threads(followed: Following) -> None:
    """Both at once."""
    barrier = threading.Barrier(2)

    def stop() -> None:
        barrier.wait()
        followed.tracker.stop()

    threads = [threading.Thread(target=stop) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def stop_while_another_thread_waits(followed: Following) -> None:
    """The tier does not wake up by itself, and no time passes."""
    waits, found = threading.Event(), list[bool]()

    def wait(timeout_s: float | None) -> bool:
        waits.set()
        return threading.Event().wait(min(timeout_s or 0, SHORT_S))

    followed.tier.wait = wait  # type: ignore[method-assign]
    thread = threading.Thread(target=lambda: found.append(followed.tracker.wait(1000)))
    thread.start()
    assert waits.wait(10)
    followed.tracker.stop()
    thread.join(10)
    assert found == [False]


@pytest.mark.parametrize(
    "stop", [stop_twice, stop_from_two_threads, stop_while_another_thread_waits]
)
def test_tier_is_closed_once(stop: Callable[[Following], None]):
    """However it is stopped; and nothing is told afterwards."""
    followed = following()
    followed.opens()
    stop(followed)
    assert (followed.machine.closed, followed.world.tells) == ([BTF], [])
    assert (followed.advance(after_s=5000), followed.machine.closed) == ([], [BTF])
    assert len(followed.machine.tried) == 1


def test_stop_returns_when_nothing_is_open_any_more():
    """Also in a second thread, while the first one is still closing."""
    followed, order = following(), list[str]()
    closing, may_close, really_close = threading.Event(), threading.Event(), followed.tier.close

    def close() -> None:
        closing.set()
        assert may_close.wait(10)
        really_close()
        order.append("closed")

    def stop() -> None:
        followed.tracker.stop()
        order.append("returned")

    followed.tier.close = close  # type: ignore[method-assign]
    threads = [threading.Thread(target=stop) for _ in range(2)]
    threads[0].start()
    assert closing.wait(10)
    threads[1].start()
    threads[1].join(5 * SHORT_S)
    may_close.set()
    for thread in threads:
        thread.join()
    assert order == ["closed", "returned", "returned"]


def test_stop_after_the_last_tier_has_died():
    """There is nothing to close, and nothing is tried any more."""
    followed = following()
    followed.machine.missing, followed.tier.broken = set(LADDER), True
    followed.advance()
    followed.tracker.stop()
    followed.machine.missing.clear()
    assert followed.advance(after_s=5000) == []
    assert (followed.machine.closed, len(followed.machine.opened)) == ([BTF], 1)


def test_stop_before_it_is_opened():
    """Whoever opens it later is too late."""
    followed = Following()
    followed.tracker.stop()
    followed.open()
    assert (followed.world.tells, followed.tracker.tier, followed.advance()) == ([], None, [])


def test_stop_without_opening():
    """It is not even opened."""
    tracker = make_tracker(Machine(World()))
    tracker.stop()
    assert not tracker.wait(1)


def test_it_stops_at_the_end_of_its_block():
    """Like everything that holds something of the kernel's."""
    followed = Following()
    with followed.tracker:
        followed.open()
    assert followed.machine.closed == [BTF]
