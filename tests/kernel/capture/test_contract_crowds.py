"""Each tier keeps its contract with many connections at once, and claims no more."""

from __future__ import annotations

import pytest

from tests.kernel.promised_rows import assert_promises_kept
from tests.kernel.promises import play, told_of
from tests.kernel.recorder import Recorder
from tests.surroundings import scaled

HELD: dict[str, dict[str, int]] = {
    "bursts": {"bursts": 2, "connections": scaled(100)},
    "prefork": {"workers": 2, "connections": 4},
    "threads": {"threads": 3, "connections": 2},
    "port_reuse": {"connections": 4},
    "accept_queue_overflow": {},
}
"""Smaller where one connection after the other is waited with."""


@pytest.mark.parametrize("kind", HELD)
def test_looked_at(each_tier: Recorder, kind: str) -> None:
    """Every connection has its two rows, in the order in which they closed if the ends are the
    same."""
    told = told_of(each_tier, play(kind, **HELD[kind]))

    assert_promises_kept(told, kind)


@pytest.mark.parametrize("kind", HELD)
def test_never_looked_at(telling_tier: Recorder, kind: str) -> None:
    """Hundreds are over before any look: each close is told, or counted as lost."""
    told = told_of(telling_tier, play(kind), looks=False)

    assert_promises_kept(told, kind)
