"""The netlink tier's closes, against what the applications know."""

from __future__ import annotations

import os
import resource
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from connscope.capture.netlink.tier import NetlinkTier
from connscope.config import Config
from connscope.row.columns import Rows
from connscope.row.words import Group, Kind, OwnerEvidence, Protocol, Role, State, Tier
from tests.kernel.namespace import Namespace
from tests.kernel.recorder import Recorder, comm, pick
from tests.kernel.watched import connect, line, running

CLOSED_AT_ONCE = struct.pack("ii", 1, 0)
PATIENCE_S = 20


@pytest.fixture
def tier() -> Iterator[NetlinkTier]:
    """A tier with default settings, open."""
    with NetlinkTier(Config()) as tier:
        yield tier


def recording(tier: NetlinkTier) -> Recorder:
    """Records what it captures."""
    return Recorder(cast("Any", tier))


def closed_ends(tier: NetlinkTier, port: int) -> tuple[Any, Any]:
    """The only connection to a port, once both ends are closed: the client's row, the server's."""
    rows = recording(tier).of_port(port, Kind.CLOSED, count=2)
    (client,), (server,) = rows[rows["peer_port"] == port], rows[rows["local_port"] == port]
    return client, server


def talk(client: socket.socket, server: socket.socket) -> None:
    """1000 bytes there, 7 back, all read."""
    client.sendall(b"x" * 1000)
    assert server.recv(1000, socket.MSG_WAITALL)
    server.sendall(b"y" * 7)
    assert client.recv(7, socket.MSG_WAITALL)


def client_first(client: socket.socket, server: socket.socket) -> None:
    """The server reads to the end of the file."""
    client.close()
    assert server.recv(1) == b""
    server.close()


def server_first(client: socket.socket, server: socket.socket) -> None:
    """The client does."""
    client_first(server, client)


def unread_end(client: socket.socket, server: socket.socket) -> None:
    """Nobody reads it."""
    client.close()
    server.close()


def half_closed(client: socket.socket, server: socket.socket) -> None:
    """Both read it."""
    client.shutdown(socket.SHUT_WR)
    assert server.recv(1) == b""
    server.close()
    assert client.recv(1) == b""
    client.close()


ENDINGS = (client_first, server_first, unread_end, half_closed)
HOMES = {"ipv4": ("127.0.0.1", "127.0.0.1"), "ipv6": ("::1", "::1"), "mapped": ("::", "127.0.0.1")}


def server_at(address: str) -> socket.socket:
    """A listener; on :: it takes IPv4 too."""
    if ":" not in address:
        return socket.create_server((address, 0))
    dual = address == "::"
    return socket.create_server((address, 0), family=socket.AF_INET6, dualstack_ipv6=dual)


class TestBytes:
    """The counters of a closed row are those of the application."""

    @pytest.mark.parametrize("home", HOMES)
    @pytest.mark.parametrize("ending", ENDINGS)
    @pytest.mark.parametrize("looks", [False, True], ids=["news alone", "looked at before"])
    def test_both_ends(
        self,
        tier: NetlinkTier,
        home: str,
        ending: Callable[[socket.socket, socket.socket], None],
        looks: bool,
    ) -> None:
        """What was sent to the byte; what was received too, but for the FIN where it is no fact."""
        bound, address = HOMES[home]
        with server_at(bound) as server:
            port = server.getsockname()[1]
            client = socket.create_connection((address, port))
            accepted = server.accept()[0]
            talk(client, accepted)
            if looks:
                tier.look()
            ending(client, accepted)
            rows = closed_ends(tier, port)
        assert [int(row["bytes_sent"]) for row in rows] == [1000, 7]
        for row, received in zip(rows, (7, 1000), strict=True):
            off_by = 0 if row["exact"] & Group.TRAFFIC else 1
            assert abs(int(row["bytes_received"]) - received) <= off_by
            assert row["family"] == (6 if home == "ipv6" else 4)
            assert (row["state"], row["tier"]) == (State.CLOSE, Tier.NETLINK)
            assert Group(int(row["known"])) >= Group.TRAFFIC | Group.ENDS | Group.LIFE
            assert not row["exact"] & (Group.LIFE | Group.OWNER | Group.QUALITY | Group.IDENTITY)
            assert 0 < row["min_rtt_us"] <= row["rtt_us"] + row["rtt_var_us"]

    def test_roles_are_remembered(self, tier: NetlinkTier) -> None:
        """A look has seen which side is which."""
        with server_at("127.0.0.1") as server:
            client, accepted = connect(server)
            tier.look()
            unread_end(client, accepted)
            out, incoming = closed_ends(tier, server.getsockname()[1])
        assert (out["role"], incoming["role"]) == (Role.CLIENT, Role.SERVER)
        assert out["exact"] & incoming["exact"] & Group.ENDS

    def test_unread_bytes(self, tier: NetlinkTier) -> None:
        """They were received, though nobody has read them."""
        with server_at("127.0.0.1") as server:
            client, accepted = connect(server)
            client.sendall(b"x" * 300)
            accepted.close()
            client.close()
            out, incoming = closed_ends(tier, server.getsockname()[1])
        assert (out["bytes_sent"], incoming["bytes_received"]) == (300, 300)
        assert incoming["unread_bytes"] == 300

    def test_reset_after_a_look_has_the_counters_of_the_look(self, tier: NetlinkTier) -> None:
        """The kernel has wiped the socket: ends, bytes and owner are those of then."""
        with server_at("127.0.0.1") as server:
            client, accepted = connect(server)
            talk(client, accepted)
            tier.look()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, CLOSED_AT_ONCE)
            client.close()
            accepted.close()
            out, _ = closed_ends(tier, server.getsockname()[1])
        assert (out["bytes_sent"], out["bytes_received"], out["pid"]) == (1000, 7, os.getpid())
        assert out["known"] & Group.TRAFFIC
        assert not out["exact"] & Group.TRAFFIC

    def test_reset_that_no_look_has_seen_is_lost(self, tier: NetlinkTier) -> None:
        """There is no peer to make a row of; it is counted."""
        before = tier.losses().rows
        with server_at("127.0.0.1") as server:
            client, accepted = connect(server)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, CLOSED_AT_ONCE)
            client.close()
            accepted.close()
            recorder = recording(tier)
            recorder.until(lambda _: tier.losses().rows > before)
            (row,) = recorder.of_port(server.getsockname()[1], Kind.CLOSED)
        assert row["role"] == Role.SERVER
        assert (recorder.rows["kind"] == Kind.LOST).any()

    def test_orphan(self, tier: NetlinkTier) -> None:
        """A look shows it in FIN_WAIT1; its end has all bytes of the application."""
        with server_at("127.0.0.1") as server:
            client, accepted = connect(server)
            client.sendall(b"x" * 1000)
            client.close()
            while accepted.recv(65536):
                pass
            accepted.close()
            out, incoming = closed_ends(tier, server.getsockname()[1])
        assert (out["bytes_sent"], incoming["bytes_sent"]) == (1000, 0)


class TestNoConnection:
    """What makes news and was never connected makes no row."""

    def test_refused_and_unused(self, tier: NetlinkTier) -> None:
        """Refused, refused without waiting, never connected, a listener: then one that was."""
        with socket.socket() as reserved:
            reserved.bind(("127.0.0.1", 0))
            port = reserved.getsockname()[1]
            for blocks in (True, False):
                with socket.socket() as client:
                    client.setblocking(blocks)
                    assert client.connect_ex(("127.0.0.1", port))
        with server_at("127.0.0.1") as server:
            unread_end(*connect(server))
            recorder = recording(tier)
            recorder.of_port(server.getsockname()[1], Kind.CLOSED, count=2)
        assert not len(pick(recorder.rows, port, Kind.CLOSED))

    def test_mptcp_closes_are_those_of_subflows(self, tier: NetlinkTier) -> None:
        """One subflow, two ends, protocol TCP, and no claim to be exact once a look has seen it."""
        try:
            server = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
        except OSError:
            pytest.skip("no MPTCP here")
        with server, socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) as client:
            server.bind(("127.0.0.1", 0))
            server.listen()
            port = server.getsockname()[1]
            client.connect(("127.0.0.1", port))
            accepted = server.accept()[0]
            talk(client, accepted)
            shown = pick(tier.look(), port, Kind.SNAPSHOT)
            accepted.close()
            client.close()
            rows = recording(tier).of_port(port, Kind.CLOSED, count=2)
        assert sorted(shown["state"].tolist()) == [
            State.ESTABLISHED,
            State.ESTABLISHED,
            State.LISTEN,
        ]
        assert set(shown["pid"].tolist()) == {os.getpid()}
        assert set(rows["protocol"].tolist()) == {Protocol.TCP}
        assert not (shown["exact"][shown["state"] != State.LISTEN] & Group.TRAFFIC).any()
        assert not (rows["exact"] & Group.TRAFFIC).any()


def churn(server: socket.socket, connections: int) -> None:
    """That many, one after the other, accepted and closed by both."""
    for _ in range(connections):
        unread_end(*connect(server))


class TestLoss:
    """Nothing goes missing without being counted."""

    def test_two_thousand_short_connections(self, tier: NetlinkTier) -> None:
        """Each end has one row, or is counted as lost."""
        with server_at("127.0.0.1") as server:
            worker = threading.Thread(target=churn, args=(server, 2000))
            worker.start()
            port = server.getsockname()[1]
            rows = recording(tier).until(
                lambda rows: len(pick(rows, port, Kind.CLOSED)) + tier.losses().rows >= 4000
            )
            worker.join(PATIENCE_S)
        found = pick(rows, port, Kind.CLOSED)
        assert len(np.unique(found["socket_id"])) == len(found)

    def test_no_room_is_answered_by_a_look(self) -> None:
        """A tiny buffer: what a look had seen is told from then, the rest is in a lost row."""
        with (
            NetlinkTier(Config(netlink_receive_bytes=4096)) as tier,
            server_at("127.0.0.1") as server,
            ExitStack() as kept,
        ):
            port = server.getsockname()[1]
            old = [connect(server) for _ in range(20)]
            stays = connect(server)
            for end in stays:
                kept.enter_context(end)
            tier.look()
            churn(server, 50)
            for pair in old:
                unread_end(*pair)
            rows = recording(tier).until(
                lambda rows: len(pick(rows, port, Kind.CLOSED)) + rows["lost"].sum() >= 140
            )
            now = pick(tier.look(), port, Kind.SNAPSHOT)
        lost = int(rows["lost"].sum())
        assert lost == tier.losses().rows
        estimates = pick(rows, port, Kind.CLOSED, pid=os.getpid())
        assert len(estimates) >= 38
        assert np.isin(now["state"], (State.ESTABLISHED, State.LISTEN)).all()
        assert len(now) == 3

    def test_each_close_is_told_once_after_a_loss(self) -> None:
        """News that come after the look that answered for them are not told again."""
        with NetlinkTier(Config(netlink_receive_bytes=4096)) as tier, server_at("::1") as server:
            pairs = [
                (socket.create_connection(server.getsockname()[:2]), server.accept()[0])
                for _ in range(100)
            ]
            tier.look()
            for pair in pairs:
                unread_end(*pair)
            recorder = recording(tier)
            port = server.getsockname()[1]
            rows = recorder.of_port(port, Kind.CLOSED, count=200)
            assert len(np.unique(rows["socket_id"])) == len(recorder.of_port(port, Kind.CLOSED))


SERVER = """
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
accepted = server.accept()[0]
print(server.getsockname()[1], flush=True)
sys.stdin.readline()
client.sendall(b"x" * 55)
client.close()
while accepted.recv(100): pass
accepted.close()
print("closed", flush=True)
sys.stdin.readline()
"""


def test_namespace_that_came_later(tier: NetlinkTier) -> None:
    """A look finds it, and its closes are told from then on, with owners and its inode."""
    with Namespace() as namespace, ExitStack() as programs:
        with namespace.entered():
            process = programs.enter_context(running(SERVER))
        port = int(line(process))
        shown = pick(tier.look(), port, Kind.SNAPSHOT, netns=namespace.inode)
        assert process.stdin
        print(file=process.stdin, flush=True)
        rows: Rows = recording(tier).of_port(port, Kind.CLOSED, count=2)
        process.kill()
    assert (len(shown), set(shown["pid"].tolist())) == (3, {process.pid})
    assert set(rows["netns"].tolist()) == {namespace.inode}
    (out,) = rows[rows["peer_port"] == port]
    assert (out["bytes_sent"], out["pid"], comm(out)) == (55, process.pid, comm(shown[0]))
    assert out["owner_evidence"] == OwnerEvidence.FD_TABLE


def test_namespace_that_ends(tier: NetlinkTier) -> None:
    """The connections of a killed process, the last one there, are told; then nothing holds it."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    with Namespace() as namespace, ExitStack() as programs:
        with namespace.entered():
            process = programs.enter_context(running(SERVER))
        port = int(line(process))
        tier.look()
        inode = namespace.inode
        namespace.close()
        process.kill()
        process.wait()
        namespace.fd = os.open("/dev/null", os.O_RDONLY)
        assert not len(pick(tier.look(), port, Kind.SNAPSHOT, netns=inode))
        rows: Rows = recording(tier).of_port(port, Kind.CLOSED, count=2)
    assert set(rows["netns"].tolist()) == {inode}
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_no_descriptors_left() -> None:
    """What can not be entered is said; what could be is looked at."""
    with Namespace() as namespace, ExitStack() as programs, NetlinkTier(Config()) as tier:
        with namespace.entered():
            programs.enter_context(running("sys.stdin.read()"))
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, limits[1]))
        fillers = list[int]()
        try:
            with suppress(OSError):
                while True:
                    fillers.append(os.dup(2))
            # To say where we are and where we go, then for one socket of two.
            for _ in range(2):
                os.close(fillers.pop())
            tier.look()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            for filler in fillers:
                os.close(filler)
        said = tier.limits
        tier.look()
        assert any("could not be entered" in sentence for sentence in said)
        assert tier.limits == ()


def test_nothing_stays_open() -> None:
    """Neither of one that was used, nor of one that was closed twice."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(2):
        with NetlinkTier(Config()) as tier:
            tier.look()
            tier.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
