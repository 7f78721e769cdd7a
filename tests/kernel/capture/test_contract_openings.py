"""Each tier keeps its contract however a connection begins, and claims no more."""

from __future__ import annotations

import pytest

from connscope.row.words import ClosedBy
from tests.kernel.promised_rows import assert_promises_kept
from tests.kernel.promises import play, told_of
from tests.kernel.recorder import Recorder
from tests.kernel.tiers_here import SEES_ALL
from tests.surroundings import FAMILIES

BOTH_FAMILIES = (
    "fast_open",
    "fast_open_refused",
    "syn_cookies",
    "simultaneous_open",
    "self_connect",
)
EARLY = ("fast_open_closed_early", "fast_open_reset_early")


@pytest.mark.parametrize("opening", BOTH_FAMILIES)
def test_opened_by(each_tier: Recorder, opening: str) -> None:
    """Whoever sent which SYN, and whatever was in it; IPv4 and IPv6."""
    plays = [play(opening, v6=v6) for v6 in FAMILIES]

    assert_promises_kept(told_of(each_tier, *plays), opening)


@pytest.mark.parametrize("opening", EARLY)
def test_over_before_it_was_open(each_tier: Recorder, opening: str) -> None:
    """The server ends before its handshake does; the client's end is an ordinary one."""
    assert_promises_kept(told_of(each_tier, play(opening)), opening)


def test_who_ended_what_both_opened(each_tier: Recorder) -> None:
    """Both are clients; where it is claimed one ended it and the other says so."""
    told = told_of(each_tier, play("simultaneous_open"))
    words = sorted(int(close.row["closed_by"]) for close in told.closes())

    assert words == ([ClosedBy.LOCAL, ClosedBy.PEER] if told.tier in SEES_ALL else [0, 0])
