"""The bytes of connections that open and close while they are looked at."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator

import numpy as np
import pytest

from connscope.row.columns import Rows
from connscope.row.words import Group, Kind, State
from tests.kernel.recorder import Recorder, comm
from tests.traffic.build import built

MILLISECONDS = "2000"
LONG, SHORT = 128, 64
"""What the server and the client of churn send; nothing else is right for either."""


@pytest.fixture
def unanswered() -> Iterator[tuple[str, int]]:
    """An address whose listener is full: connects stay in SYN_SENT."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        with socket.create_connection(listener.getsockname()):
            yield listener.getsockname()


def test_nothing_is_sent_before_the_handshake(
    recorder: Recorder, unanswered: tuple[str, int]
) -> None:
    """A SYN is no payload."""
    with socket.socket() as client:
        client.setblocking(False)
        client.connect_ex(unanswered)
        rows = recorder.tier.look()
        (row,) = rows[
            (rows["state"] == State.SYN_SENT) & (rows["local_port"] == client.getsockname()[1])
        ]

    assert (row["bytes_sent"], row["unacked_bytes"]) == (0, 0)


def test_exact_bytes_of_brief_connections_are_what_was_sent(recorder: Recorder) -> None:
    """Whenever it is looked at: nothing or all was sent, one way and the other."""
    client = subprocess.Popen([built("churn"), "-t", MILLISECONDS], stdout=subprocess.DEVNULL)
    wrong = np.empty(0)
    while client.poll() is None:
        rows = of_churn(recorder.tier.look())
        rows = rows[(rows["exact"] & Group.TRAFFIC) != 0]
        sizes = (0, SHORT, LONG)
        is_wrong = ~np.isin(rows["bytes_sent"], sizes) | ~np.isin(rows["bytes_received"], sizes)
        wrong = np.concatenate((wrong, rows["bytes_sent"][is_wrong]))
        recorder.tier.events()

    assert client.returncode == 0
    assert wrong.tolist() == []


def of_churn(rows: Rows) -> Rows:
    """The connections of churn among the rows."""
    rows = rows[(rows["kind"] == Kind.SNAPSHOT) & (rows["state"] != State.LISTEN)]
    chosen: Rows = rows[np.array([comm(row) == b"churn" for row in rows], bool)]
    return chosen
