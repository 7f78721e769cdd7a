"""Connects that nobody answers and that the application, its end or an administrator ends."""

from __future__ import annotations

import ctypes
import errno
import os
import select
import signal
import socket
import struct
from collections.abc import Callable, Iterator

import pytest

from connscope.row.words import Failure, Group, Kind, OwnerEvidence
from tests.kernel.capture.test_failures import TOLD, Attempt, now_ns
from tests.kernel.namespace import NamespacePair
from tests.kernel.recorder import Recorder

PORT = 5000
PEER = (NamespacePair.right_address, PORT)
TCP_FASTOPEN_CONNECT = 30
LIBC = ctypes.CDLL(None, use_errno=True)


@pytest.fixture(scope="module")
def namespaces() -> Iterator[NamespacePair]:
    """Two namespaces."""
    with NamespacePair() as pair:
        yield pair


@pytest.fixture
def pair(namespaces: NamespacePair) -> NamespacePair:
    """The two; the right one drops every SYN and counts it."""
    namespaces.right.filter(f"tcp dport {PORT} counter drop")
    return namespaces


def begin(pair: NamespacePair) -> socket.socket:
    """A socket that has sent its SYN and waits."""
    client = pair.left.tcp()
    client.setblocking(False)
    assert client.connect_ex(PEER) == errno.EINPROGRESS
    return client


def disconnect(client: socket.socket) -> None:
    """connect() to AF_UNSPEC, which Python does not offer."""
    unspecified = struct.pack("H", socket.AF_UNSPEC) + bytes(14)
    assert LIBC.connect(client.fileno(), unspecified, len(unspecified)) == 0


def reset(client: socket.socket) -> None:
    """Closes without lingering."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.mark.parametrize(
    "give_up", [socket.socket.close, disconnect, reset, lambda client: client.shutdown(2)]
)
def test_given_up_by_the_application(
    recorder: Recorder, pair: NamespacePair, give_up: Callable[[socket.socket], None]
) -> None:
    """However it stops waiting: abandoned, and no errno."""
    before_ns = now_ns()
    client = begin(pair)
    give_up(client)
    attempt = Attempt(PEER, 0, before_ns, now_ns())
    row = recorder.one(PORT, Kind.FAILED, netns=pair.left.inode)
    client.close()

    attempt.check(row, Failure.ABANDONED)
    assert (row["segments_sent"], row["retransmits"]) == (1, 0)


def test_given_up_by_a_time_limit_of_the_socket(recorder: Recorder, pair: NamespacePair) -> None:
    """SO_SNDTIMEO ends the call, not the attempt; the close does, and then it was abandoned."""
    limit_us = 50_000
    with pair.left.tcp() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, limit_us))
        attempt = Attempt.make(client, *PEER)
    closed_ns = now_ns()
    row = recorder.one(PORT, Kind.FAILED, netns=pair.left.inode)

    assert attempt.error == errno.EINPROGRESS
    Attempt(PEER, 0, attempt.before_ns, closed_ns).check(row, Failure.ABANDONED)
    assert row["closed_ns"] - row["opened_ns"] >= limit_us * 1000


def test_process_killed_while_it_connects(recorder: Recorder, pair: NamespacePair) -> None:
    """SIGKILL in a blocking connect(): abandoned, with the process that is gone."""
    before_ns = now_ns()
    child = os.fork()
    if not child:
        pair.left.tcp().connect(PEER)
        os._exit(0)
    pair.right.until_filtered(1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    row = recorder.one(PORT, Kind.FAILED, netns=pair.left.inode)

    assert (row["failure"], row["error"]) == (Failure.ABANDONED, 0)
    assert (row["pid"], row["owner_evidence"]) == (child, OwnerEvidence.CONNECT)
    assert before_ns < row["opened_ns"] < row["closed_ns"] < now_ns()


def test_aborted_by_an_administrator(recorder: Recorder, pair: NamespacePair) -> None:
    """``ss -K`` (SOCK_DESTROY): there is no word for it, but the errno that the application got."""
    before_ns = now_ns()
    with begin(pair) as client:
        pair.left.run(f"ss -K -t dport = {PORT}")
        error = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    row = recorder.one(PORT, Kind.FAILED, netns=pair.left.inode)

    assert error == errno.ECONNABORTED
    Attempt(PEER, error, before_ns, now_ns()).check(row, Failure.UNKNOWN)


def test_closed_after_an_icmp_error_was_read(recorder: Recorder, pair: NamespacePair) -> None:
    """A non-blocking application reads EHOSTUNREACH and closes: the row has that errno, from what
    is left in the error queue, and says that it is an inference."""
    pair.right.filter(f"tcp dport {PORT} reject with icmp type host-unreachable")
    before_ns = now_ns()
    with begin(pair) as client:
        poll = select.poll()
        poll.register(client, select.POLLOUT)
        assert poll.poll(5000)
        error = client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    row = recorder.one(PORT, Kind.FAILED, netns=pair.left.inode)

    assert error == errno.EHOSTUNREACH
    Attempt(PEER, error, before_ns, now_ns()).check(row, Failure.UNREACHABLE, TOLD & ~Group.QUALITY)


def test_fast_open_given_up_before_its_first_byte(recorder: Recorder, pair: NamespacePair) -> None:
    """With TCP_FASTOPEN_CONNECT connect() succeeds at once and the SYN waits for data; closed
    before that, it was abandoned."""
    pair.left.set("ipv4/tcp_fastopen", 5)
    with pair.left.tcp() as client:
        client.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
        attempt = Attempt.make(client, *PEER)
    row = recorder.one(PORT, Kind.FAILED, netns=pair.left.inode)

    assert attempt.error == 0
    Attempt(PEER, 0, attempt.before_ns, now_ns()).check(row, Failure.ABANDONED)
