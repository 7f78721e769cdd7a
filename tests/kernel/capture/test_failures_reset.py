"""Handshakes that a reset or the listener's end cuts short, seen from both ends."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator

import pytest

from connscope.row.address import address_text
from connscope.row.words import ClosedBy, Failure, Group, Kind, OwnerEvidence, Role
from tests.kernel.capture.test_failures import Attempt, now_ns
from tests.kernel.namespace import NamespacePair
from tests.kernel.recorder import Recorder, pick

PORT = 5001
PEER = (NamespacePair.right_address, PORT)
SYN = "tcp flags & (syn | ack) == syn"
SYN_ACK = "tcp flags & (syn | ack) == syn | ack"
OF_A_CONNECTION = (Kind.OPENED, Kind.ACCEPTED, Kind.FAILED, Kind.CLOSED)


@pytest.fixture(scope="module")
def namespaces() -> Iterator[NamespacePair]:
    """Two namespaces; fast open is on in both and needs no cookie."""
    with NamespacePair() as pair:
        pair.left.set("ipv4/tcp_fastopen", 0x1 | 0x4)
        pair.right.set("ipv4/tcp_fastopen", 0x2 | 0x200)
        yield pair


@pytest.fixture
def pair(namespaces: NamespacePair) -> NamespacePair:
    """The two, without a firewall."""
    namespaces.mend()
    return namespaces


def begin(pair: NamespacePair) -> socket.socket:
    """A socket of the left end that has sent its SYN and waits."""
    client = pair.left.tcp()
    client.setblocking(False)
    assert client.connect_ex(PEER) == errno.EINPROGRESS
    return client


def fast_open(pair: NamespacePair) -> tuple[socket.socket, socket.socket]:
    """A listener that takes data with the SYN, and a client that has sent such a SYN."""
    listener = pair.right.listener(*PEER)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
    client = pair.left.tcp()
    client.setblocking(False)
    assert client.sendto(b"hello", socket.MSG_FASTOPEN, PEER) == 5
    return listener, client


def test_reset_of_a_half_open_connection(recorder: Recorder, pair: NamespacePair) -> None:
    """The peer has no socket yet, only a request: it has no row; AttemptFails has it."""
    before = pair.right.counter("Tcp", "AttemptFails")
    pair.left.filter(f"{SYN_ACK} reject with tcp reset")
    with pair.right.listener(*PEER), begin(pair):
        recorder.until(lambda _: pair.right.counter("Tcp", "AttemptFails") > before)
    recorder.one(PORT, Kind.FAILED, netns=pair.left.inode, failure=Failure.ABANDONED)

    assert not len(pick(recorder.rows, PORT, *OF_A_CONNECTION, netns=pair.right.inode))


def test_reset_of_a_fast_open_child(recorder: Recorder, pair: NamespacePair) -> None:
    """With data in the SYN the peer has a socket before the handshake is done: reset, errno, the
    listener's owner."""
    pair.left.filter(f"{SYN_ACK} reject with tcp reset")
    listener, client = fast_open(pair)
    with listener, client:
        row = recorder.one(PORT, Kind.FAILED, netns=pair.right.inode)

    assert (row["failure"], row["error"]) == (Failure.RESET, errno.ECONNRESET)
    assert (row["pid"], row["owner_evidence"]) == (os.getpid(), OwnerEvidence.LISTENER)
    assert (row["role"], row["local_port"]) == (Role.SERVER, PORT)
    assert address_text(row["peer_address"].tobytes()) == pair.left_address
    assert row["bytes_received"] == 5


def test_listener_closed_with_a_fast_open_child(recorder: Recorder, pair: NamespacePair) -> None:
    """The server gives the child up before the handshake is done: abandoned, no errno."""
    pair.left.filter(f"{SYN_ACK} counter drop")
    listener, client = fast_open(pair)
    with client:
        pair.left.until_filtered(1)
        listener.close()
        row = recorder.one(PORT, Kind.FAILED, netns=pair.right.inode)

    assert row["role"] == Role.SERVER
    assert (row["failure"], row["error"]) == (Failure.ABANDONED, 0)


def test_listener_closed_before_the_client_has_an_answer(
    recorder: Recorder, pair: NamespacePair
) -> None:
    """The SYN-ACK got lost; the second SYN finds no listener: refused."""
    pair.left.filter(f"{SYN_ACK} counter drop")
    before_ns = now_ns()
    with pair.right.listener(*PEER):
        client = begin(pair)
        pair.left.until_filtered(1)
    pair.left.filter("")
    with client:
        client.setblocking(True)
        attempt = Attempt(PEER, client.connect_ex(PEER), before_ns, now_ns())
    row = recorder.one(PORT, Kind.FAILED, netns=pair.left.inode)

    assert attempt.error == errno.ECONNREFUSED
    attempt.check(row, Failure.REFUSED)
    assert row["retransmits"] == 1


def test_listener_closed_before_the_third_packet(recorder: Recorder, pair: NamespacePair) -> None:
    """The client is connected, the server has nothing: the client's row says reset by the peer, the
    server makes none."""
    pair.right.filter(f"tcp dport {PORT} {SYN} accept\ntcp dport {PORT} drop")
    with pair.left.tcp() as client:
        with pair.right.listener(*PEER):
            client.connect(PEER)
        pair.right.filter("")
        client.send(b"x")
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    row = recorder.one(PORT, Kind.CLOSED, netns=pair.left.inode)

    assert (row["closed_by"], row["error"]) == (ClosedBy.PEER_RESET, errno.ECONNRESET)
    assert Group.QUALITY in Group(int(row["exact"]))
    assert not len(pick(recorder.rows, PORT, *OF_A_CONNECTION, netns=pair.right.inode))


def test_reset_of_a_simultaneous_open(recorder: Recorder, pair: NamespacePair) -> None:
    """Both connect to each other, and a reset comes in between: the client's handshake was reset,
    which is not refused."""
    pair.right.filter(f"{SYN} drop\n{SYN_ACK} reject with tcp reset")
    before_ns = now_ns()
    with begin(pair) as client, pair.right.tcp() as other:
        other.setblocking(False)
        other.bind(PEER)
        assert other.connect_ex(client.getsockname()) == errno.EINPROGRESS
        row = recorder.one(PORT, Kind.FAILED, netns=pair.left.inode)
        error = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    assert error == errno.ECONNRESET
    Attempt(PEER, error, before_ns, now_ns()).check(row, Failure.RESET)
