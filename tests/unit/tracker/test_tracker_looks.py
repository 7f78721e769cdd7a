"""How the tracker looks, and when a doubt makes it look sooner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.unit.tracker.following import Following, following

from connscope.row.columns import Rows
from connscope.row.words import Group, Kind, Protocol, State, Tier
from connscope.tracker.tracker import RESYNC_S

OPENED, CLOSED, LOST = Kind.OPENED, Kind.CLOSED, Kind.LOST
SHORT_S = 0.01


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


def test_what_was_told_while_the_tier_is_opened_is_told_once():
    """Failures too, which nothing but the end of the ring tells apart."""
    followed = Following()
    followed.machine.in_open = lambda: followed.world.fail(followed.world.make(1))
    followed.open()
    followed.advance(after_s=1.1)
    assert followed.told == [(Kind.FAILED, 1)]


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
    serial = shown_too(followed, protocol=Protocol.UDP, tier=Tier.NETLINK)
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
