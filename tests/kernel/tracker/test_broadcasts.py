"""What a report says of a UDP flow to everybody on a network."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.kernel.namespace import NamespacePair
from tests.kernel.residents import LIVE_THERE
from tests.kernel.tracker.tracked import Tracked
from tests.unit.report.reports import a_look

from connscope.config import load_config
from connscope.report.decode import decode
from connscope.report.delta import Deltas
from connscope.report.encode import encode
from connscope.row.cast import cast_texts
from connscope.row.columns import Rows
from connscope.row.words import Kind

NETWORK = ("10.77.0.255", 7777)


@pytest.fixture
def pair() -> Iterator[NamespacePair]:
    """Two namespaces joined by a veth, a process in the left one."""
    with ExitStack() as stack:
        made = stack.enter_context(NamespacePair())
        with made.left.entered():
            resident = stack.enter_context(subprocess.Popen(LIVE_THERE))
        stack.callback(resident.kill)
        yield made


def casts(rows: Rows) -> list[bytes]:
    """The word of each row."""
    return [text.tobytes().rstrip(b"\0") for text in cast_texts(rows)]


def test_reports_name_the_broadcast_address_of_a_network(pair: NamespacePair) -> None:
    """While the flow is there, and in the row of its end."""

    def of_pair(rows: Rows) -> Rows:
        found: Rows = rows[rows["netns"] == pair.left.inode]
        return found

    with pair.left.entered():
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    one.bind((pair.left_address, 0))
    with Tracked(load_config(udp=True)) as tracked:
        one.sendto(b"x", NETWORK)
        tracked.until(lambda: len(of_pair(tracked.told)))
        open_rows = of_pair(tracked.tracker.connections().rows)
        one.close()
        tracked.until(lambda: Kind.CLOSED in of_pair(tracked.told)["kind"])
    ended, nothing = of_pair(tracked.told)[-1:], open_rows[:0]
    report = decode(encode(Deltas().next(a_look(), open_rows, nothing)))
    last = decode(encode(Deltas().next(a_look(), nothing, ended)))
    assert casts(report.open) == casts(last.ended) == [b"broadcast"]
