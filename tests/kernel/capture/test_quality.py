"""The quality of connections against TCP_INFO, the firewall's counters and the application's clock.

TCP_INFO is read from a quiet socket, right before the close: then nothing may differ.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple, Self

import pytest

from connscope.row.words import Group, Kind
from tests.kernel.capture.test_failures import now_ns
from tests.kernel.namespace import NamespacePair
from tests.kernel.recorder import Recorder, pick

TCP_INFO_BYTES = 232
SO_COOKIE = 57
TCP_FASTOPEN_CONNECT = 30
LINGER_NOTHING = struct.pack("ii", 1, 0)
OF_TRAFFIC = ("segments_sent", "segments_received", "retransmits")
OF_TIME = ("rtt_us", "rtt_var_us", "min_rtt_us")


class TcpInfo(NamedTuple):
    """Fields of the kernel's struct tcp_info, by the names of the columns."""

    unacked: int  # of a listener: how many wait to be accepted
    sacked: int  # of a listener: how many may wait
    rtt_us: int
    rtt_var_us: int
    retransmits: int
    segments_sent: int
    segments_received: int
    min_rtt_us: int

    @classmethod
    def of(cls, end: socket.socket) -> Self:
        """As the kernel tells it now."""
        info = end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
        offsets = (24, 28, 68, 72, 100, 136, 140, 148)
        return cls(*(struct.unpack_from("I", info, offset)[0] for offset in offsets))

    def check(self, row: Any, *names: str) -> None:
        """The row has the same values in those columns, and says that they are exact."""
        assert [row[name] for name in names] == [getattr(self, name) for name in names]
        told = Group.QUALITY | Group.TRAFFIC
        assert Group(int(row["exact"])) & told == told


@pytest.fixture(scope="module")
def namespaces() -> Iterator[NamespacePair]:
    """Two namespaces."""
    with NamespacePair() as pair:
        yield pair


@pytest.fixture
def pair(namespaces: NamespacePair) -> NamespacePair:
    """The two, without a firewall."""
    namespaces.mend()
    return namespaces


@pytest.fixture(params=[4, 6])
def listener(request: pytest.FixtureRequest, pair: NamespacePair) -> Iterator[socket.socket]:
    """A listener in the right one, of both families."""
    address = pair.right_address if request.param == 4 else pair.right_address6
    with pair.right.listener(address) as listener:
        yield listener


@pytest.fixture
def listener4(pair: NamespacePair) -> Iterator[socket.socket]:
    """One of IPv4."""
    with pair.right.listener(pair.right_address) as listener:
        yield listener


def port_of(end: socket.socket) -> int:
    return int(end.getsockname()[1])


def cookie_of(end: socket.socket) -> int:
    """The kernel's number of a socket; ports are the same in other namespaces."""
    return int.from_bytes(end.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), sys.byteorder)


def connect(pair: NamespacePair, listener: socket.socket) -> tuple[socket.socket, socket.socket]:
    """Both ends of a new connection: client, server."""
    client = pair.left.tcp(listener.family)
    client.connect(listener.getsockname()[:2])
    return client, listener.accept()[0]


def exchange(client: socket.socket, server: socket.socket) -> None:
    """Some traffic both ways."""
    for size in (1, 1000, 50_000):
        for source, target in ((client, server), (server, client)):
            source.sendall(b"x" * size)
            assert len(target.recv(size, socket.MSG_WAITALL)) == size


def when_quiet(client: socket.socket, server: socket.socket) -> tuple[TcpInfo, TcpInfo]:
    """TCP_INFO of both ends once each has all that the other sent; nobody counts the SYN-ACK."""
    end_ns = now_ns() + 10_000_000_000
    while True:
        ours, theirs = TcpInfo.of(client), TcpInfo.of(server)
        if (
            ours.unacked == theirs.unacked == 0
            and ours.segments_sent - ours.retransmits <= theirs.segments_received
            and theirs.segments_sent < ours.segments_received
        ):
            return ours, theirs
        assert now_ns() < end_ns, f"not quiet: {ours}, {theirs}"


def reset(end: socket.socket) -> None:
    """Closes so that no further sample is taken: without a FIN, and read before the RST goes."""
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOTHING)
    end.close()


def test_opened_rows_have_the_samples_of_the_handshake(
    recorder: Recorder, pair: NamespacePair, listener: socket.socket
) -> None:
    """Both ends know their round trip time before a byte was sent; it is TCP_INFO's."""
    before_ns = now_ns()
    client, server = connect(pair, listener)
    after_ns = now_ns()
    ours, theirs = when_quiet(client, server)
    with client, server:
        row = recorder.one(port_of(listener), Kind.OPENED, netns=pair.left.inode)
        ours.check(row, *OF_TIME)
        assert 0 < row["connect_us"] <= (after_ns - before_ns) / 1000
        row = recorder.one(port_of(listener), Kind.OPENED, netns=pair.right.inode)
        theirs.check(row, *OF_TIME)
        assert row["connect_us"] == 0


def test_closed_rows_have_what_tcp_info_had(
    recorder: Recorder, pair: NamespacePair, listener: socket.socket
) -> None:
    """Times, segments and retransmits right before the close; the reset itself is one segment more
    for the peer, and none for who sends it: it goes after the change to CLOSE."""
    client, server = connect(pair, listener)
    exchange(client, server)
    ours, theirs = when_quiet(client, server)
    reset(client)
    row = recorder.one(port_of(listener), Kind.CLOSED, netns=pair.left.inode)
    reset_row = recorder.one(port_of(listener), Kind.CLOSED, netns=pair.right.inode)
    server.close()

    ours.check(row, *OF_TIME, *OF_TRAFFIC)
    theirs = theirs._replace(segments_received=theirs.segments_received + 1)
    theirs.check(reset_row, *OF_TIME, *OF_TRAFFIC)


def test_snapshots_have_what_tcp_info_has(
    recorder: Recorder, pair: NamespacePair, listener: socket.socket
) -> None:
    """The same columns while the connection is open."""
    client, server = connect(pair, listener)
    with client, server:
        exchange(client, server)
        ours, theirs = when_quiet(client, server)
        rows = recorder.tier.look()
        cookies = [cookie_of(end) for end in (client, server)]

    for cookie, info in zip(cookies, (ours, theirs), strict=True):
        (row,) = pick(rows, port_of(listener), Kind.SNAPSHOT, socket_id=cookie)
        info.check(row, *OF_TIME, *OF_TRAFFIC)


def test_segments_are_those_that_the_firewalls_met(
    recorder: Recorder, pair: NamespacePair, listener4: socket.socket
) -> None:
    """From the first SYN to the last ACK, in small segments; nobody counts the SYN-ACK as sent."""
    port = port_of(listener4)
    pair.right.filter(f"tcp dport {port} counter")
    pair.left.filter(f"tcp sport {port} counter")
    client, server = connect(pair, listener4)
    for _ in range(10):
        client.send(b"question")
        assert server.recv(8) == b"question"
        server.send(b"answer")
        assert client.recv(6) == b"answer"
    client.shutdown(socket.SHUT_WR)
    assert server.recv(1) == b""
    server.close()
    assert client.recv(1) == b""
    client.close()
    ours = recorder.one(port, Kind.CLOSED, netns=pair.left.inode)
    theirs = recorder.one(port, Kind.CLOSED, netns=pair.right.inode)

    met, met_back = pair.right.filtered()[0], pair.left.filtered()[0]
    assert (ours["segments_sent"], ours["segments_received"]) == (met, met_back)
    assert (theirs["segments_sent"], theirs["segments_received"]) == (met_back - 1, met)
    assert met > 10 < met_back


def test_retransmits_are_those_that_the_firewall_met(
    recorder: Recorder, pair: NamespacePair, listener4: socket.socket
) -> None:
    """One segment is dropped until it came a third time: all that left us but one is sent again."""
    client, server = connect(pair, listener4)
    port = port_of(listener4)
    pair.left.filter(f"tcp dport {port} counter", "output")
    pair.right.filter(f"tcp dport {port} counter drop")
    client.send(b"lost")
    pair.right.until_filtered(2)
    pair.right.filter("")
    assert server.recv(4) == b"lost"
    info, _ = when_quiet(client, server)
    met = pair.left.filtered()[0]
    reset(client)
    row = recorder.one(port, Kind.CLOSED, netns=pair.left.inode)
    server.close()

    assert row["retransmits"] == met - 1 >= 2
    info.check(row, *OF_TIME, *OF_TRAFFIC)


def test_handshake_that_took_two_answers(
    recorder: Recorder, pair: NamespacePair, listener4: socket.socket
) -> None:
    """The SYN-ACK is lost once: both ends count what they sent again, connect_us has the wait."""
    port = port_of(listener4)
    pair.left.filter(f"tcp sport {port} counter drop")
    before_ns = now_ns()
    client = pair.left.tcp()
    client.setblocking(False)
    assert client.connect_ex(listener4.getsockname()) == errno.EINPROGRESS
    pair.left.until_filtered(1)
    pair.left.filter("")
    client.setblocking(True)
    client.connect(listener4.getsockname())
    after_ns = now_ns()
    server = listener4.accept()[0]
    ours, theirs = TcpInfo.of(client), TcpInfo.of(server)
    with client, server:
        row = recorder.one(port, Kind.OPENED, netns=pair.left.inode)
        server_row = recorder.one(port, Kind.OPENED, netns=pair.right.inode)

    assert 1_000_000 <= row["connect_us"] <= (after_ns - before_ns) / 1000
    assert (row["retransmits"], ours.retransmits) == (1, 1)
    ours.check(row, "rtt_us", "rtt_var_us")
    assert server_row["retransmits"] == theirs.retransmits


def test_refused_connect_has_no_samples(recorder: Recorder, pair: NamespacePair) -> None:
    """Without a sample the times are 0, not what the kernel starts with."""
    with pair.left.tcp() as client:
        assert client.connect_ex((pair.right_address, 5400)) == errno.ECONNREFUSED
    row = recorder.one(5400, Kind.FAILED, netns=pair.left.inode)

    assert [row[name] for name in (*OF_TIME, "connect_us")] == [0, 0, 0, 0]


def test_fast_open_handshake_begins_with_its_first_byte(
    recorder: Recorder, pair: NamespacePair, listener4: socket.socket
) -> None:
    """With TCP_FASTOPEN_CONNECT the SYN goes with the first data, not with connect(): from there
    connect_us counts, or it is not known."""
    pair.left.set("ipv4/tcp_fastopen", 0x1 | 0x4)
    with pair.left.tcp() as client:
        client.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
        client.connect(listener4.getsockname())
        pair.right.filter("")  # which takes longer than the handshake
        before_ns = now_ns()
        client.send(b"x")
        listener4.accept()[0].close()
        after_ns = now_ns()
        row = recorder.one(port_of(listener4), Kind.OPENED, netns=pair.left.inode)

    assert row["opened_ns"] < after_ns
    assert row["connect_us"] <= (after_ns - before_ns) / 1000
