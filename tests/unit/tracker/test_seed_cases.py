"""What once went wrong in Weave Scope, by the numbers of our list of its regressions."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.unit.capture.fake_tier import FakeTier
from tests.unit.tracker.following import Following, following, told_of

from connscope.capture import ladder
from connscope.config import Config, load_config
from connscope.errors import FailedError, KernelError
from connscope.row.columns import ROW, Rows
from connscope.row.words import Group, Kind, Tier
from connscope.tracker.tracker import Tracker

OPENED, CLOSED = Kind.OPENED, Kind.CLOSED
BTF, NETLINK = Tier.BTF, Tier.NETLINK
REFUSAL = FailedError("btf", "broken")


def in_another_thread(does: Callable[[], object]) -> None:
    """Does it there, and comes back when it is done."""
    thread = threading.Thread(target=does)
    thread.start()
    thread.join()


def test_S01_connection_that_opens_while_all_is_gathered_is_not_missed():
    """Its event comes before the first look."""
    followed = Following()
    followed.machine.in_open = lambda: followed.opens(1)
    assert followed.open().in_table() == [1]


def test_S02_connection_that_closes_while_all_is_gathered_is_not_open():
    """The look still shows it."""
    followed = Following()
    followed.opens(1)

    def ends() -> None:
        followed.tier.earlier = followed.tier.look()
        followed.world.end(1)

    followed.machine.in_open = ends
    assert followed.open().in_table() == []
    assert followed.told == [(CLOSED, 1)]


def test_S03_what_was_gathered_does_not_replace_what_an_event_told():
    """The event has proof of the owner, the look has a guess."""
    followed = Following()

    def guesses(look: Callable[[], Rows]) -> Rows:
        rows = look()
        rows["pid"], rows["exact"] = 9, rows["exact"] & ~np.uint16(Group.OWNER)
        return rows

    def is_accepted() -> None:
        followed.world.accept(followed.opens(1), pid=7)
        look = followed.tier.look
        followed.tier.look = lambda: guesses(look)  # type: ignore[method-assign]

    followed.machine.in_open = is_accepted
    followed.open()
    assert followed.tracker.table.rows()["pid"].tolist() == [7]


def test_S04_death_is_seen_within_one_tick():
    """Whichever thread it happens in."""
    followed = following()
    in_another_thread(lambda: setattr(followed.tier, "broken", True))
    followed.advance()
    assert (followed.machine.closed, len(followed.machine.opened)) == ([BTF], 2)


def test_S04_stop_is_seen_within_one_tick():
    """From another thread: nothing is told and nothing waited for any more."""
    followed = following()
    followed.opens()
    in_another_thread(followed.tracker.stop)
    assert (followed.tracker.wait(1000), followed.advance()) == (False, [])


def test_S05_stop_may_come_twice():
    """From one thread, and from two."""
    followed = following()
    followed.tracker.stop()
    followed.tracker.stop()
    in_another_thread(followed.tracker.stop)
    assert followed.machine.closed == [BTF]


def test_S05_stop_may_come_after_death():
    """What has died was closed already."""
    followed = following()
    followed.machine.missing, followed.tier.broken = set(ladder.LADDER), True
    followed.advance()
    followed.tracker.stop()
    assert followed.machine.closed == [BTF]


def test_S07_tier_may_tell_before_its_opening_returns():
    """Everything that hears it is there by then."""
    followed = Following()
    followed.tracker.take("reader")
    followed.machine.in_open = lambda: followed.world.end(followed.opens(1))
    assert followed.open().told == [(OPENED, 1), (CLOSED, 1)]
    assert told_of(followed.tracker.take("reader").rows) == [(CLOSED, 1)]


def made_tiers(
    monkeypatch: pytest.MonkeyPatch, config: Config, refusals: dict[Tier, KernelError]
) -> tuple[Tracker, list[tuple[Tier, Config]]]:
    """A tracker with the opener of the product, and each tier that is made, with its keys."""
    made = list[tuple[Tier, Config]]()

    def make(tier: Tier, keys: Config) -> Any:
        made.append((tier, keys))
        return FakeTier(tier, frozenset(Kind), refusals.get(tier))

    monkeypatch.setattr(ladder, "make_tier", make)
    monkeypatch.setattr(ladder, "see_own_connection", lambda tier: np.empty(0, ROW))
    return Tracker(config, read_ranges=dict), made


def test_S10_next_tier_is_the_same_at_the_start_and_later(monkeypatch: pytest.MonkeyPatch):
    """Made in one place, with the same configuration."""
    config = load_config(look_interval_s=7, debug_dir="/nonexistent")
    at_start, made_at_start = made_tiers(monkeypatch, config, {BTF: REFUSAL})
    with at_start:
        at_start.open()
    refusals = dict[Tier, KernelError]()
    later, made_later = made_tiers(monkeypatch, config, refusals)
    with later:
        later.open()
        made_later.clear()
        refusals[BTF] = REFUSAL

        def dies() -> Rows:
            raise REFUSAL

        monkeypatch.setattr(later.tier, "events", dies)
        later.advance()
    assert made_at_start == made_later == [(BTF, config), (NETLINK, config)]
    assert all(keys is config for _, keys in (*made_at_start, *made_later))


def test_S13_short_life_between_two_ticks_is_told_once():
    """Its opening and its end, and once to each reader."""
    followed = following()
    followed.tracker.take("reader")
    followed.world.end(followed.opens(1))
    assert followed.advance() == [(OPENED, 1), (CLOSED, 1)]
    assert [followed.advance(after_s=1.1) for _ in range(3)] == [[], [], []]
    assert told_of(followed.tracker.take("reader").rows) == [(CLOSED, 1)]
    assert told_of(followed.tracker.take("reader").rows) == []


def test_S14_all_is_gathered_when_it_is_open():
    """In the thread that opens it, not in the background."""
    followed, looked_in = Following(), list[int]()
    serial = followed.opens()

    def notes_who_looks() -> None:
        followed.tier.in_look = lambda: looked_in.append(threading.get_ident())

    followed.machine.in_open = notes_who_looks
    followed.tracker.open()
    assert looked_in == [threading.get_ident()]
    assert followed.in_table() == [serial]
