"""The bytes of closed connections are the application's own, however the connection ended."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connscope.capture.btf.tier import BtfTier
from connscope.config import Config
from connscope.row.words import ClosedBy
from tests.kernel.recorder import Recorder
from tests.kernel.traffic.agreement import assert_bytes_agree, last_row
from tests.traffic.endings import ENDINGS
from tests.traffic.party import connect
from tests.traffic.report import make


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    """One tier for all tests of this file."""
    with BtfTier(Config()) as tier:
        yield Recorder(tier)


@pytest.mark.parametrize("v6", [0, 1], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_bytes_after(recorder: Recorder, ending: str, v6: int) -> None:
    """What was accepted, what arrived and what was never read are told to the byte."""
    assert_bytes_agree(recorder, make(ending, v6=v6).connections)


@pytest.mark.parametrize("ending", ENDINGS)
def test_bytes_of_an_older_connection_after(ending: str) -> None:
    """The same where we came after the handshake and never saw the initial sequence numbers."""
    client, server = connect()
    client.send(5_001)
    server.receive(5_001)
    with BtfTier(Config()) as tier:
        ends = tuple(ENDINGS[ending](client, server))

        assert_bytes_agree(Recorder(tier), ends)


@pytest.mark.parametrize("v6", [0, 1], ids=["ipv4", "ipv6"])
def test_bytes_after_simultaneous_close(recorder: Recorder, v6: int) -> None:
    """The FINs cross, so that each end closed first; neither FIN is taken for a byte."""
    report = make("simultaneous_close", v6=v6)

    assert_bytes_agree(recorder, report.connections)
    closed_by = [last_row(recorder, end)["closed_by"] for end in report.connections]
    assert closed_by == [ClosedBy.LOCAL] * 2


def test_what_a_reset_threw_away_is_unacked(recorder: Recorder) -> None:
    """What the server acknowledged it has; the rest of what send() accepted is unacked."""
    client, server = make("reset_with_unsent").connections
    row = last_row(recorder, client)

    assert 0 < client.sent - row["unacked_bytes"] <= server.unread < client.sent
