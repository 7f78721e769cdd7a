"""The queue of a listener, against TCP_INFO and the kernel's counter of overflows."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from connscope.row.words import Group, Kind, State
from tests.kernel.capture.test_quality import TcpInfo, cookie_of, port_of
from tests.kernel.namespace import NamespacePair
from tests.kernel.recorder import Recorder, pick


@pytest.fixture(scope="module")
def pair() -> Iterator[NamespacePair]:
    """Two namespaces."""
    with NamespacePair() as pair:
        yield pair


@pytest.fixture
def listener(pair: NamespacePair) -> Iterator[socket.socket]:
    """A listener in the right one, whose queue takes two and one more."""
    with pair.right.listener(pair.right_address, backlog=2) as listener:
        yield listener


def test_queue_of_a_listener_while_it_overflows(
    recorder: Recorder, pair: NamespacePair, listener: socket.socket
) -> None:
    """Three wait where two may, which is all that fit; looks and the last row say so."""
    waiting = [pair.left.tcp() for _ in range(3)]
    for client in waiting:
        client.connect(listener.getsockname())
    recorder.until(lambda _: TcpInfo.of(listener).unacked == 3)
    with pair.left.tcp() as one_more:
        one_more.setblocking(False)
        one_more.connect_ex(listener.getsockname())
        recorder.until(lambda _: pair.right.counter("TcpExt", "ListenOverflows"))
        overflowing = queue_of(recorder, listener)
    listener.accept()[0].close()
    relieved = queue_of(recorder, listener)
    listener.listen(7)
    widened = queue_of(recorder, listener)
    port, info = port_of(listener), TcpInfo.of(listener)
    listener.close()
    row = recorder.one(port, Kind.UNLISTENED, netns=pair.right.inode)
    for client in waiting:
        client.close()

    assert [overflowing, relieved, widened] == [(3, 2), (2, 2), (2, 7)]
    assert (row["queue_length"], row["queue_limit"]) == (info.unacked, info.sacked) == (2, 7)
    assert Group.QUALITY in Group(int(row["exact"]))


def queue_of(recorder: Recorder, listener: socket.socket) -> tuple[int, int]:
    """Length and limit of a listener's queue, by a look of this moment."""
    (row,) = pick(
        recorder.tier.look(),
        port_of(listener),
        Kind.SNAPSHOT,
        state=State.LISTEN,
        socket_id=cookie_of(listener),
    )
    return int(row["queue_length"]), int(row["queue_limit"])
