"""Each tier keeps its contract for connections that are older than it is, and claims no more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any, cast

import pytest

from connscope.capture.ladder import Ladder
from connscope.row.words import Kind, word
from tests.kernel.capture.conftest import contract_config
from tests.kernel.capture.test_contract_endings import looked_at_before
from tests.kernel.promised_rows import assert_promises_kept
from tests.kernel.promises import Told, told_of_older
from tests.kernel.recorder import Recorder
from tests.kernel.tiers_here import TIERS_HERE
from tests.kernel.traffic.agreement import rows_of
from tests.surroundings import FAMILIES
from tests.traffic.endings import ENDINGS


def of_ending(told: Told, place: int) -> Told:
    """Only what belongs to one of the endings; each has a process for each family."""
    pids = list(told.traffic.process_start_ns)[place * len(FAMILIES) :][: len(FAMILIES)]
    ends = [end for end in told.traffic.ends if end.pid in pids]
    return replace(told, traffic=replace(told.traffic, ends=ends))


@pytest.fixture(scope="module", params=TIERS_HERE, ids=word)
def older(request: pytest.FixtureRequest) -> Iterator[dict[str, Told]]:
    """What each tier tells of each ending; all are open when it comes."""
    with ExitStack() as stack:

        def open_tier() -> Recorder:
            ladder = stack.enter_context(Ladder(contract_config(request.param)))
            return Recorder(cast("Any", ladder))

        plays = [partial(looked_at_before, name, v6) for name in ENDINGS for v6 in FAMILIES]
        told = told_of_older(open_tier, *plays)
        yield {name: of_ending(told, place) for place, name in enumerate(ENDINGS)}


@pytest.mark.parametrize("ending", ENDINGS)
def test_closes_after(older: dict[str, Told], ending: str) -> None:
    """Its close is told with all that a tier can know of what it has not seen begin."""
    assert_promises_kept(older[ending], ending)


@pytest.mark.parametrize("ending", ENDINGS)
def test_is_no_news(older: dict[str, Told], ending: str) -> None:
    """Nothing is told of its begin."""
    told = older[ending]

    assert not any(len(rows_of(told.rows, end, Kind.OPENED)) for end in told.traffic.ends)
