"""Who ended a connection, for every way to end one, at both ends.

The client is in the left namespace, the server in the right one: `closed_by` and `error` of both
rows, compared with what was done.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import signal
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from connscope.row.words import ClosedBy, Group, Kind
from tests.kernel.namespace import Namespace, NamespacePair
from tests.kernel.recorder import PATIENCE_S, Recorder

LIBC = ctypes.CDLL(None, use_errno=True)
LINGER_NOTHING = struct.pack("ii", 1, 0)

LOCAL, PEER = (ClosedBy.LOCAL, 0), (ClosedBy.PEER, 0)
LOCAL_RESET = (ClosedBy.LOCAL_RESET, 0)
ABORTED = (ClosedBy.LOCAL_RESET, errno.ECONNABORTED)
PEER_RESET = (ClosedBy.PEER_RESET, errno.ECONNRESET)
PEER_RESET_LATE = (ClosedBy.PEER_RESET, errno.EPIPE)  # after the peer's FIN


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


@pytest.fixture
def listener(pair: NamespacePair) -> Iterator[socket.socket]:
    """A listener in the right one, on a port of its own."""
    with pair.right.listener(pair.right_address) as listener:
        yield listener


@pytest.fixture
def port(listener: socket.socket) -> int:
    """The listener's."""
    return int(listener.getsockname()[1])


@dataclass(frozen=True)
class Ends:
    """A connection as those who hold both of its ends have it."""

    pair: NamespacePair
    client: socket.socket
    server: socket.socket


def connect(pair: NamespacePair, listener: socket.socket) -> tuple[socket.socket, socket.socket]:
    """Both ends of a new connection: client, server."""
    client = pair.left.tcp()
    client.connect(listener.getsockname())
    return client, listener.accept()[0]


def ended(recorder: Recorder, end: Namespace, port: int) -> Any:
    """The closed row of the end that is in that namespace."""
    row = recorder.one(port, Kind.CLOSED, netns=end.inode)
    assert Group.QUALITY in Group(int(row["exact"]))
    return row


def until_reset(end: socket.socket) -> None:
    """Waits until the peer's reset has come."""
    poll = select.poll()
    poll.register(end, 0)
    assert poll.poll(PATIENCE_S * 1000)


def reset(end: socket.socket) -> None:
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOTHING)
    end.close()


def client_closes(ends: Ends) -> None:
    ends.client.close()
    assert ends.server.recv(1) == b""
    ends.server.close()


def both_close(ends: Ends) -> None:
    ends.pair.cut()  # each FIN is lost, so neither end knows of the other's when it sends its own
    ends.client.close()
    ends.server.close()
    ends.pair.mend()


def client_shuts_down(ends: Ends) -> None:
    ends.client.shutdown(socket.SHUT_WR)
    assert ends.server.recv(1) == b""
    ends.server.close()
    assert ends.client.recv(1) == b""
    ends.client.close()


def client_shuts_down_both(ends: Ends) -> None:
    ends.client.shutdown(socket.SHUT_RDWR)
    client_closes(ends)


def client_resets(ends: Ends) -> None:
    reset(ends.client)
    until_reset(ends.server)
    ends.server.close()


def client_resets_after_its_fin(ends: Ends) -> None:
    ends.client.shutdown(socket.SHUT_WR)
    assert ends.server.recv(1) == b""
    client_resets(ends)


def client_resets_after_the_other_fin(ends: Ends) -> None:
    ends.server.shutdown(socket.SHUT_WR)
    assert ends.client.recv(1) == b""
    client_resets(ends)


def client_leaves_data(ends: Ends) -> None:
    ends.server.send(b"never read")
    assert ends.client.recv(1, socket.MSG_PEEK)
    ends.client.close()
    until_reset(ends.server)
    ends.server.close()


def client_disconnects(ends: Ends) -> None:
    unspecified = struct.pack("H", socket.AF_UNSPEC) + bytes(14)
    assert LIBC.connect(ends.client.fileno(), unspecified, len(unspecified)) == 0
    ends.client.close()
    until_reset(ends.server)
    ends.server.close()


def client_is_aborted(ends: Ends) -> None:
    ends.pair.left.run(f"ss -K -t dport = {ends.server.getsockname()[1]}")
    until_reset(ends.server)
    ends.server.close()
    ends.client.close()


def client_is_aborted_after_its_fin(ends: Ends) -> None:
    ends.client.shutdown(socket.SHUT_WR)
    assert ends.server.recv(1) == b""
    client_is_aborted(ends)


def server_sends_after_the_end(ends: Ends) -> None:
    ends.client.close()
    assert ends.server.recv(1) == b""
    ends.server.send(b"too late")  # to a FIN_WAIT2 that is no socket any more
    until_reset(ends.server)
    ends.server.close()


def client_does_not_wait_for_the_fin(ends: Ends) -> None:
    ends.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_LINGER2, -1)
    ends.client.close()
    until_reset(ends.server)
    ends.server.close()


CASES = [
    (client_closes, LOCAL, PEER),
    (both_close, LOCAL, LOCAL),
    (client_shuts_down, LOCAL, PEER),
    (client_shuts_down_both, LOCAL, PEER),
    (client_resets, LOCAL_RESET, PEER_RESET),
    (client_resets_after_its_fin, LOCAL, PEER_RESET_LATE),
    (client_resets_after_the_other_fin, LOCAL_RESET, PEER_RESET),
    (client_leaves_data, LOCAL_RESET, PEER_RESET),
    (client_disconnects, LOCAL_RESET, PEER_RESET),
    (client_is_aborted, ABORTED, PEER_RESET),
    (client_is_aborted_after_its_fin, ABORTED, PEER_RESET_LATE),
    (server_sends_after_the_end, LOCAL, PEER_RESET_LATE),
    (client_does_not_wait_for_the_fin, LOCAL, PEER_RESET_LATE),
]
"""How it ends; what the end says that does this, and what the other one says."""


@pytest.mark.parametrize(("end", "its_word", "other_word"), CASES)
def test_both_ends_say_how_it_ended(
    recorder: Recorder,
    pair: NamespacePair,
    listener: socket.socket,
    port: int,
    end: Callable[[Ends], None],
    its_word: tuple[ClosedBy, int],
    other_word: tuple[ClosedBy, int],
) -> None:
    """The word and the errno of each; a reset after an own FIN changes nothing for its end."""
    end(Ends(pair, *connect(pair, listener)))

    for where, expected in ((pair.left, its_word), (pair.right, other_word)):
        row = ended(recorder, where, port)
        assert (row["closed_by"], row["error"]) == expected


@pytest.mark.parametrize(("end", "its_word", "other_word"), CASES[:1] + CASES[4:5])
def test_a_server_ends_as_a_client_does(
    recorder: Recorder,
    pair: NamespacePair,
    listener: socket.socket,
    port: int,
    end: Callable[[Ends], None],
    its_word: tuple[ClosedBy, int],
    other_word: tuple[ClosedBy, int],
) -> None:
    """The same with the ends exchanged: the word is about the end, not the role."""
    client, server = connect(pair, listener)
    end(Ends(pair, server, client))

    for where, expected in ((pair.right, its_word), (pair.left, other_word)):
        row = ended(recorder, where, port)
        assert (row["closed_by"], row["error"]) == expected


@pytest.mark.parametrize("unread", [False, True])
def test_process_killed(
    recorder: Recorder, pair: NamespacePair, listener: socket.socket, port: int, *, unread: bool
) -> None:
    """SIGKILL closes as close() does: a FIN, or a reset if something was not read."""
    child = os.fork()
    if not child:
        client = pair.left.tcp()
        client.connect(listener.getsockname())
        client.recv(1, socket.MSG_PEEK if unread else 0)
        client.send(b"x")
        signal.pause()
    with listener.accept()[0] as server:
        server.send(b"x")
        assert server.recv(1) == b"x"
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        select.select([server], [], [], PATIENCE_S)
    row = ended(recorder, pair.left, port)

    assert row["closed_by"] == (ClosedBy.LOCAL_RESET if unread else ClosedBy.LOCAL)
    assert (row["pid"], row["unread_bytes"]) == (child, unread)
    row = ended(recorder, pair.right, port)
    assert row["closed_by"] == (ClosedBy.PEER_RESET if unread else ClosedBy.PEER)


def test_connection_that_nobody_accepted(
    recorder: Recorder, pair: NamespacePair, listener: socket.socket, port: int
) -> None:
    """The listener closes: it reset what was in its queue."""
    with pair.left.tcp() as client:
        client.connect(listener.getsockname())
        recorder.one(port, Kind.OPENED, netns=pair.right.inode)
        listener.close()
        with pytest.raises(ConnectionResetError):
            client.recv(1)

    assert ended(recorder, pair.right, port)["closed_by"] == ClosedBy.LOCAL_RESET
    assert ended(recorder, pair.left, port)["closed_by"] == ClosedBy.PEER_RESET


def test_orphan_whose_peer_never_closes(
    recorder: Recorder, pair: NamespacePair, listener: socket.socket, port: int
) -> None:
    """The kernel waits in FIN_WAIT2 for what TCP_LINGER2 says above its 60 s, then gives up: no
    error came of it, and the first FIN was the client's."""
    client, server = connect(pair, listener)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_LINGER2, 61)
    client.close()
    with server:
        row = ended(recorder, pair.left, port)

    assert (row["closed_by"], row["error"]) == LOCAL
    assert row["closed_ns"] - row["opened_ns"] > 900_000_000
