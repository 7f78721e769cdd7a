"""UDP flows that fail: what ICMP and the calls themselves say."""

from __future__ import annotations

import socket

from connscope.row.words import Failure, Kind
from tests.kernel.capture.test_udp_calls import bound, closed, counters, pair, port_of
from tests.kernel.recorder import Recorder, pick


def test_refused_is_failed_once_and_nothing_is_lost(udp: Recorder) -> None:
    """ICMP says that nobody listens: one failed row, then one with what was sent after it."""
    one, other = pair()
    own, peer = port_of(one), port_of(other)
    other.close()
    sent = 0
    for _ in range(40):
        try:
            sent += one.send(b"x" * 9)
        except ConnectionRefusedError:
            continue
    one.close()
    rows = udp.of_port(own, Kind.FAILED, count=2)
    assert set(rows["failure"]) == {Failure.REFUSED}
    assert set(rows["error"]) == {111}
    assert set(rows["peer_port"]) == {peer}
    assert rows["bytes_sent"].sum() == sent
    assert not len(pick(udp.drain(), own, Kind.CLOSED))


def test_peer_that_goes_away_is_told_by_icmp_alone(udp: Recorder) -> None:
    """The flow is there already, and no call on the socket hears of it."""
    one, other = pair()
    own = port_of(one)
    one.send(b"12")
    other.recv(9)
    other.close()
    one.send(b"345")
    row = udp.one(own, Kind.FAILED)
    assert (row["failure"], row["error"]) == (Failure.REFUSED, 111)
    one.close()
    rows = udp.until(lambda rows: pick(rows, own, Kind.FAILED)["bytes_sent"].sum() == 5)
    assert not len(pick(rows, own, Kind.CLOSED, local_port=own))


def test_peer_that_answers_after_a_failure_opens_the_flow_again(udp: Recorder) -> None:
    """It came up at last."""
    one = bound()
    with bound() as gone:
        address = gone.getsockname()
    one.connect(address)
    one.send(b"1")
    udp.one(port_of(one), Kind.FAILED)
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.bind(address)
    other.sendto(b"hello", one.getsockname())
    try:
        one.recv(9)
    except ConnectionRefusedError:
        one.recv(9)
    udp.of_port(port_of(one), Kind.OPENED, count=3)
    row = closed(udp, one)
    other.close()
    assert counters(row)[2:] == (5, 1)
