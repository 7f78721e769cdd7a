"""When a tier that says nothing is not believed."""

from __future__ import annotations

from typing import Any, cast

import pytest
from tests.unit.sample_rows import one_row
from tests.unit.tracker.following import following
from tests.unit.tracker.world import FakeTier, World

from connscope.errors import FailedError
from connscope.row.words import Kind, Tier
from connscope.tracker.suspicion import LOOKS, Suspicion

OPENED, CLOSED = one_row(kind=Kind.OPENED), one_row(kind=Kind.CLOSED)


def judged(suspicion: Suspicion, found: Any = OPENED, tier: Tier = Tier.BTF) -> None:
    """A look of that tier found this on its own."""
    suspicion.judge(cast("Any", FakeTier(World(), tier, [])), found)


def test_third_look_that_finds_what_nobody_told_is_too_much():
    """The reason says how many connections there were."""
    suspicion = Suspicion()
    for _ in range(LOOKS - 1):
        judged(suspicion)
    with pytest.raises(FailedError, match="btf: looks found 3 connections"):
        judged(suspicion)


def test_tier_that_tells_of_some_is_believed():
    """A look may be faster than the events."""
    suspicion = Suspicion()
    for _ in range(3 * LOOKS):
        suspicion.hear(OPENED)
        judged(suspicion)


def test_tier_that_told_of_one_starts_anew():
    """Only looks in a row count."""
    suspicion = Suspicion()
    for number in range(3 * LOOKS):
        if number % LOOKS == LOOKS - 1:
            suspicion.hear(OPENED)
        judged(suspicion)


def test_who_was_believed_once_may_fall_silent():
    """What it told before a look says nothing of the next ones."""
    suspicion = Suspicion()
    suspicion.hear(OPENED)
    for _ in range(LOOKS):
        judged(suspicion)
    with pytest.raises(FailedError):
        judged(suspicion)


def test_other_events_prove_nothing():
    """Programs that tell of ends may still be there when those that tell of openings are gone."""
    suspicion = Suspicion()
    for _ in range(LOOKS - 1):
        suspicion.hear(CLOSED)
        judged(suspicion)
    suspicion.hear(CLOSED)
    with pytest.raises(FailedError):
        judged(suspicion)


def test_quiet_machine_is_no_reason():
    """A look that finds nothing new proves nothing."""
    suspicion = Suspicion()
    for _ in range(3 * LOOKS):
        judged(suspicion, OPENED[:0])
        judged(suspicion, CLOSED)


@pytest.mark.parametrize("tier", [Tier.NETLINK, Tier.PROCFS])
def test_tier_that_never_tells_of_openings_is_not_suspected(tier: Tier):
    """Its looks do."""
    suspicion = Suspicion()
    for _ in range(3 * LOOKS):
        judged(suspicion, OPENED, tier)


def test_silent_tier_is_replaced_after_three_looks():
    """As if somebody had detached its programs."""
    all_of_it = following()
    all_of_it.tier.silent = True
    for number in range(LOOKS):
        assert len(all_of_it.machine.opened) == 1
        serial = all_of_it.opens(1 + number)
        assert all_of_it.advance(after_s=1.1) == [(Kind.OPENED, serial)]
    assert len(all_of_it.machine.opened) == 2
    assert "its events told of none" in all_of_it.tracker.changes[-1].reason


def test_tier_that_is_just_quiet_is_not_replaced():
    """However many looks find nothing."""
    all_of_it = following()
    all_of_it.opens()
    for _ in range(9):
        all_of_it.advance(after_s=1.1)
    assert len(all_of_it.machine.opened) == 1


def test_tier_that_tells_of_some_is_not_replaced():
    """However many looks find others."""
    all_of_it = following()
    for number in range(0, 3 * LOOKS, 2):
        all_of_it.opens(1 + number)
        all_of_it.tier.silent = True
        all_of_it.opens(2 + number)
        all_of_it.tier.silent = False
        assert len(all_of_it.advance(after_s=1.1)) == 2
    assert len(all_of_it.machine.opened) == 1


def test_next_tier_is_judged_for_itself():
    """What came while nobody captured is found by its first look, and is not its fault."""
    all_of_it = following()
    all_of_it.tier.silent = True
    for number in range(LOOKS):
        all_of_it.opens(1 + number)
        all_of_it.advance(after_s=1.1)
    for number in range(LOOKS - 1):
        all_of_it.tier.silent = True
        all_of_it.opens(20 + number)
        all_of_it.advance(after_s=1.1)
    assert len(all_of_it.machine.opened) == 2
