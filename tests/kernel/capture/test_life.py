"""The life of connections, as both ends have it, against what the application knows."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import time
from pathlib import Path

import numpy as np
import pytest

from connscope.capture.btf.tier import BtfTier
from connscope.config import Config
from connscope.row.address import address_text
from connscope.row.words import ClosedBy, Failure, Group, Kind, OwnerEvidence, Role, State
from tests.kernel.recorder import Recorder, comm, pick

LINGER_NOTHING = struct.pack("ii", 1, 0)


def connect(server: socket.socket) -> tuple[socket.socket, socket.socket]:
    """Both ends of a new connection: client, server."""
    client = socket.create_connection(server.getsockname()[:2])
    return client, server.accept()[0]


def exchange(client: socket.socket, server: socket.socket, sent: int, received: int) -> None:
    """Moves exactly so many bytes each way, as the client sees it."""
    for source, target, size in ((client, server, sent), (server, client, received)):
        source.setblocking(True)
        left = size
        while left:
            count = source.send(b"x" * min(left, 65536))
            left -= count
            while count:
                count -= len(target.recv(count))


class TestBothEnds:
    """One connection over loopback makes four rows."""

    def test_are_opened_with_the_ends_mirrored(
        self, recorder: Recorder, listener: socket.socket
    ) -> None:
        """The opened rows of client and server have each other's addresses, ports and ISNs."""
        client, server = connect(listener)
        with client, server:
            port = listener.getsockname()[1]
            opened = recorder.of_port(port, Kind.OPENED, count=2)

        out, incoming = (opened[opened["role"] == role][0] for role in (Role.CLIENT, Role.SERVER))
        assert (out["local_port"], out["peer_port"]) == (incoming["peer_port"], port)
        assert incoming["local_port"] == port
        assert (out["isn_local"], out["isn_peer"]) == (incoming["isn_peer"], incoming["isn_local"])
        assert out["isn_local"] != 0
        assert address_text(out["peer_address"].tobytes()) == "127.0.0.1"

    def test_have_the_same_bytes_as_the_application(
        self, recorder: Recorder, listener: socket.socket
    ) -> None:
        """At the close each end has counted exactly what was sent and received."""
        client, server = connect(listener)
        exchange(client, server, 1_234_567, 89_012)
        client.close()
        server.close()
        port = listener.getsockname()[1]

        out = recorder.one(port, Kind.CLOSED, role=Role.CLIENT)
        incoming = recorder.one(port, Kind.CLOSED, role=Role.SERVER)

        assert (out["bytes_sent"], out["bytes_received"]) == (1_234_567, 89_012)
        assert (incoming["bytes_sent"], incoming["bytes_received"]) == (89_012, 1_234_567)
        assert Group.TRAFFIC in Group(int(out["exact"])) & Group(int(incoming["exact"]))

    def test_keep_one_id_from_open_to_close(
        self, recorder: Recorder, listener: socket.socket
    ) -> None:
        """Opened and closed row of an end share connection_id and opened_ns; the ends differ."""
        client, server = connect(listener)
        client.close()
        server.close()
        port = listener.getsockname()[1]
        closed = recorder.of_port(port, Kind.CLOSED, count=2)
        opened = pick(recorder.rows, port, Kind.OPENED)

        for name in ("connection_id", "socket_id", "opened_ns"):
            assert sorted(opened[name]) == sorted(closed[name])
        assert len(set(closed["connection_id"].tolist())) == 2

    def test_know_their_process(self, recorder: Recorder, listener: socket.socket) -> None:
        """The client's row has our pid, start time, name, user and socket inode."""
        client, server = connect(listener)
        with client, server:
            row = recorder.one(listener.getsockname()[1], Kind.OPENED, role=Role.CLIENT)
            inode = os.fstat(client.fileno()).st_ino
        start_ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])

        assert row["pid"] == os.getpid()
        assert row["owner_evidence"] == OwnerEvidence.CONNECT
        assert row["process_start_ns"] // 10_000_000 == start_ticks
        assert comm(row) == Path("/proc/self/comm").read_bytes().rstrip()
        assert (row["uid"], row["socket_inode"]) == (os.getuid(), inode)
        assert row["netns"] == Path("/proc/self/ns/net").stat().st_ino

    def test_time_the_handshake(self, recorder: Recorder, listener: socket.socket) -> None:
        """connect_us lies within what connect() took; the server side has none."""
        before_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        client, server = connect(listener)
        after_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        with client, server:
            port = listener.getsockname()[1]
            out = recorder.one(port, Kind.OPENED, role=Role.CLIENT)
            incoming = recorder.one(port, Kind.OPENED, role=Role.SERVER)

        assert 0 < out["connect_us"] <= (after_ns - before_ns) / 1000
        assert before_ns < out["opened_ns"] < after_ns
        assert incoming["connect_us"] == 0


@pytest.mark.parametrize("sizes", [(0, 0), (1, 0), (0, 1), (10, 7), (65536, 1), (5_000_000, 3)])
def test_bytes_are_exact_for(
    recorder: Recorder, listener: socket.socket, sizes: tuple[int, int]
) -> None:
    """SYN and FIN are never counted as bytes, whatever the sizes and whoever closes first."""
    client, server = connect(listener)
    exchange(client, server, *sizes)
    server.close()
    client.close()
    port = listener.getsockname()[1]

    out = recorder.one(port, Kind.CLOSED, role=Role.CLIENT)
    incoming = recorder.one(port, Kind.CLOSED, role=Role.SERVER)

    assert (out["bytes_sent"], out["bytes_received"]) == sizes
    assert (incoming["bytes_received"], incoming["bytes_sent"]) == sizes
    assert (out["unread_bytes"], incoming["unread_bytes"]) == (0, 0)


def test_ipv6_keeps_its_addresses(recorder: Recorder) -> None:
    """A connection over ::1 is family 6."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        client, server = connect(listener)
        with client, server:
            row = recorder.one(listener.getsockname()[1], Kind.OPENED, role=Role.CLIENT)

    assert row["family"] == 6
    assert address_text(row["local_address"].tobytes()) == "::1"


def test_v4_mapped_is_ipv4(recorder: Recorder) -> None:
    """An IPv4 connection to a dual-stack socket is IPv4 at both ends."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), listener.accept()[0]:
            opened = recorder.of_port(port, Kind.OPENED, count=2)

    assert opened["family"].tolist() == [4, 4]
    assert {address_text(row["peer_address"].tobytes()) for row in opened} == {"127.0.0.1"}


def test_listening_and_unlistened(recorder: Recorder) -> None:
    """A listener makes a row when it begins and one when it ends, with its owner and backlog."""
    with socket.create_server(("127.0.0.1", 0), backlog=17) as listener:
        port = listener.getsockname()[1]
        begun = recorder.one(port, Kind.LISTENING)
    ended = recorder.one(port, Kind.UNLISTENED)

    assert (begun["pid"], begun["owner_evidence"]) == (os.getpid(), OwnerEvidence.LISTENER)
    assert (begun["queue_limit"], begun["state"]) == (17, State.LISTEN)
    assert ended["connection_id"] == begun["connection_id"]
    assert ended["closed_ns"] > begun["opened_ns"]


def test_one_socket_refused_connected_disconnected_connected_is_three_connections(
    recorder: Recorder, listener: socket.socket
) -> None:
    """A cookie is not a connection: each attempt has an id of its own and counters of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    unspecified = struct.pack("H", socket.AF_UNSPEC) + bytes(14)
    address = listener.getsockname()
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        nobody = closed_soon.getsockname()
    with socket.socket() as client:
        with pytest.raises(ConnectionRefusedError):
            client.connect(nobody)
        client.connect(address)
        first = listener.accept()[0]
        exchange(client, first, 11, 22)
        assert libc.connect(client.fileno(), unspecified, len(unspecified)) == 0
        client.connect(address)
        second = listener.accept()[0]
        exchange(client, second, 33, 44)
    first.close()
    second.close()
    closed = recorder.of_port(address[1], Kind.CLOSED, count=4)

    refused = recorder.one(nobody[1], Kind.FAILED)
    mine = closed[closed["role"] == Role.CLIENT]
    assert [(row["bytes_sent"], row["bytes_received"]) for row in mine] == [(11, 22), (33, 44)]
    assert mine["closed_by"].tolist() == [ClosedBy.LOCAL_RESET, ClosedBy.LOCAL]
    assert refused["failure"] == Failure.REFUSED
    ids = [refused["connection_id"], *mine["connection_id"]]
    assert len(set(ids)) == 3
    assert {refused["socket_id"], *mine["socket_id"]} == {refused["socket_id"]}


class TestClosedBy:
    """Who ended it, from each end: client's word, server's word."""

    @pytest.mark.parametrize(
        ("how", "client_word", "server_word"),
        [
            ("client closes", ClosedBy.LOCAL, ClosedBy.PEER),
            ("server closes", ClosedBy.PEER, ClosedBy.LOCAL),
            ("client resets", ClosedBy.LOCAL_RESET, ClosedBy.PEER_RESET),
            ("server resets", ClosedBy.PEER_RESET, ClosedBy.LOCAL_RESET),
            ("client closes with data unread", ClosedBy.LOCAL_RESET, ClosedBy.PEER_RESET),
            ("client shuts down first", ClosedBy.LOCAL, ClosedBy.PEER),
        ],
    )
    def test_is_told_at_both_ends(
        self,
        recorder: Recorder,
        listener: socket.socket,
        how: str,
        client_word: ClosedBy,
        server_word: ClosedBy,
    ) -> None:
        """Every way to end has its word."""
        client, server = connect(listener)
        self.end(how, client, server)
        port = listener.getsockname()[1]

        assert recorder.one(port, Kind.CLOSED, role=Role.CLIENT)["closed_by"] == client_word
        assert recorder.one(port, Kind.CLOSED, role=Role.SERVER)["closed_by"] == server_word

    @staticmethod
    def end(how: str, client: socket.socket, server: socket.socket) -> None:
        """Ends a connection in the way named."""
        who, other = (client, server) if how.startswith("client") else (server, client)
        if "resets" in how:
            who.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOTHING)
        elif "unread" in how:
            other.send(b"never read")
            while not who.recv(1, socket.MSG_PEEK):
                pass
        elif "shuts down" in how:
            who.shutdown(socket.SHUT_WR)
            other.recv(1)
            other.close()
            who.recv(1)
        who.close()
        if how.endswith("closes"):
            other.recv(1)
        other.close()


def test_unread_bytes_are_told(recorder: Recorder, listener: socket.socket) -> None:
    """Bytes that TCP took and the application never read are counted apart."""
    client, server = connect(listener)
    client.send(b"x" * 1000)
    assert len(server.recv(300)) == 300
    client.close()
    server.close()

    row = recorder.one(listener.getsockname()[1], Kind.CLOSED, role=Role.SERVER)

    assert (row["bytes_received"], row["unread_bytes"]) == (1000, 700)


def test_connection_older_than_the_tier_closes_with_exact_bytes(listener: socket.socket) -> None:
    """What was sent before we came is counted."""
    client, server = connect(listener)
    exchange(client, server, 100_001, 3)
    with BtfTier(Config()) as tier:
        recorder = Recorder(tier)
        exchange(client, server, 9, 2)
        client.close()
        server.close()
        closed = recorder.of_port(listener.getsockname()[1], Kind.CLOSED, count=2)

    sent = {(int(row["bytes_sent"]), int(row["bytes_received"])) for row in closed}
    assert sent == {(100_010, 5), (5, 100_010)}
    assert closed["pid"].tolist() == [os.getpid()] * 2
    assert np.all(closed["known"] & Group.LIFE == 0)


def test_listener_older_than_the_tier_gives_its_connections_an_owner(
    listener: socket.socket,
) -> None:
    """The first look finds who holds a listener; its children inherit that."""
    with BtfTier(Config()) as tier:
        client, server = connect(listener)
        with client, server:
            recorder = Recorder(tier)
            row = recorder.one(listener.getsockname()[1], Kind.OPENED, role=Role.SERVER)

    assert (row["pid"], row["owner_evidence"]) == (os.getpid(), OwnerEvidence.LISTENER)
    assert comm(row) == Path("/proc/self/comm").read_bytes().rstrip()


def test_mptcp_shows_its_subflows_and_no_row_of_its_own(recorder: Recorder) -> None:
    """MPTCP makes rows of protocol TCP, owned by a process, never by a kernel thread."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) as client:
            client.connect(("127.0.0.1", port))
            server = listener.accept()[0]
            client.send(b"x" * 10)
            server.recv(10)
        server.close()
        closed = recorder.of_port(port, Kind.CLOSED, count=2)

    opened = pick(recorder.rows, port, Kind.OPENED)
    assert opened["role"].tolist().count(Role.CLIENT) == 1
    assert set(closed["protocol"].tolist()) == {6}
    assert set(opened["pid"].tolist()) == {os.getpid()}
