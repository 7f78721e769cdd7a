"""The bytes of closed connections are the application's own, however the connection began."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connscope.capture.btf.tier import BtfTier
from connscope.config import Config
from connscope.row.words import Kind
from tests.kernel.recorder import Recorder
from tests.kernel.traffic.agreement import assert_bytes_agree, expected, rows_of, seen
from tests.traffic.report import make

OPENINGS = ("fast_open", "syn_cookies", "simultaneous_open", "self_connect")


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    """One tier for all tests of this file."""
    with BtfTier(Config()) as tier:
        yield Recorder(tier)


@pytest.mark.parametrize("v6", [0, 1], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("opening", OPENINGS)
def test_bytes_after(recorder: Recorder, opening: str, v6: int) -> None:
    """Whoever sent which SYN, and whatever was in it: payload alone is counted."""
    assert_bytes_agree(recorder, make(opening, v6=v6).connections)


@pytest.mark.parametrize("v6", [0, 1], ids=["ipv4", "ipv6"])
def test_bytes_of_refused_fast_open(recorder: Recorder, v6: int) -> None:
    """What the kernel accepted for a SYN that was then refused was accepted all the same."""
    assert_bytes_agree(recorder, make("fast_open_refused", v6=v6).connections)


def test_bytes_of_fast_open_closed_early(recorder: Recorder) -> None:
    """A server that was done before its handshake was: its bytes are counted without the ISN."""
    assert_bytes_agree(recorder, make("fast_open_closed_early").connections)


def test_bytes_of_fast_open_reset_early(recorder: Recorder) -> None:
    """A server that accepted, answered and reset before its handshake was done had a connection."""
    server, _ = make("fast_open_reset_early").connections
    rows = recorder.until(lambda rows: len(rows_of(rows, server, Kind.CLOSED, Kind.FAILED)))
    (row,) = rows_of(rows, server, Kind.CLOSED, Kind.FAILED)

    assert seen(row) == expected(server)
    assert row["kind"] == Kind.CLOSED
