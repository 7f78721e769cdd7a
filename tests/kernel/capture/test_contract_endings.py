"""Each tier keeps its contract however a connection ends, and claims no more."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from tests.kernel.held_traffic import hold
from tests.kernel.promised_rows import assert_promises_kept
from tests.kernel.promises import play, told_of
from tests.kernel.recorder import Recorder
from tests.surroundings import FAMILIES
from tests.traffic.endings import ENDINGS
from tests.traffic.party import connect, loopback
from tests.traffic.report import End

BEFORE = 5_001


def looked_at_before(ending: str, v6: int) -> Iterator[End]:
    """A connection that is looked at, goes on, and then ends in that way."""
    client, server = connect(loopback(v6))
    client.send(BEFORE)
    server.receive(BEFORE)
    hold()
    yield from ENDINGS[ending](client, server)


@pytest.mark.parametrize("ending", ENDINGS)
def test_looked_at_before(each_tier: Recorder, ending: str) -> None:
    """All of it happens after the last look: what the end has to say has to be enough."""
    plays = [partial(looked_at_before, ending, v6) for v6 in FAMILIES]

    assert_promises_kept(told_of(each_tier, *plays), ending)


@pytest.mark.parametrize("ending", [*ENDINGS, "simultaneous_close"])
def test_looked_at_just_before_the_close(each_tier: Recorder, ending: str) -> None:
    """What comes before the first close() is in a look."""
    plays = [play(ending, v6=v6) for v6 in FAMILIES]

    assert_promises_kept(told_of(each_tier, *plays), ending)


@pytest.mark.parametrize("ending", ENDINGS)
def test_never_looked_at(telling_tier: Recorder, ending: str) -> None:
    """It is over before any look: each close is told all the same, or counted as lost."""
    plays = [play(ending, v6=v6) for v6 in FAMILIES]

    assert_promises_kept(told_of(telling_tier, *plays, looks=False), ending)
