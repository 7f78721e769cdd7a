"""Looks: what is there now, against what the application knows."""

from __future__ import annotations

import os
import socket
import struct
import threading
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from connscope.capture.btf.tier import BtfTier
from connscope.config import Config
from connscope.kernel.host.network_namespaces import network_namespace
from connscope.row.words import Group, Kind, OwnerEvidence, Role, State
from tests.kernel.namespace import Namespace
from tests.kernel.recorder import Recorder, comm, pick
from tests.kernel.watched import connect, fill, line, running, shown, shown_ends, shown_until

EACH_LOOK = Config(owner_check_interval_s=0)
PATIENCE_S = 20


class TestOlderThanTheTier:
    """What was there before the tier was opened."""

    def test_connection_has_its_counters_ends_isns_and_roles(self, listener: socket.socket) -> None:
        """Both ends are there in full, each with the other's ISN, though no event told them."""
        client, server = connect(listener)
        with client, server:
            client.sendall(b"x" * 1001)
            server.sendall(b"y" * 7)
            server.recv(1001, socket.MSG_WAITALL)
            inodes = [os.fstat(end.fileno()).st_ino for end in (client, server)]
            with BtfTier(Config()) as tier:
                out, incoming = shown_ends(tier, listener.getsockname()[1])
        assert [out["socket_inode"], incoming["socket_inode"]] == inodes
        assert (out["bytes_sent"], out["bytes_received"], out["unread_bytes"]) == (1001, 7, 7)
        assert (incoming["bytes_sent"], incoming["bytes_received"]) == (7, 1001)
        assert (out["role"], incoming["role"]) == (Role.CLIENT, Role.SERVER)
        assert (out["isn_local"], out["isn_peer"]) == (incoming["isn_peer"], incoming["isn_local"])
        for row in (out, incoming):
            assert (row["pid"], row["owner_evidence"]) == (os.getpid(), OwnerEvidence.FD_TABLE)
            assert (row["state"], row["netns"]) == (
                State.ESTABLISHED,
                network_namespace(os.getpid()),
            )

    def test_listener_has_its_queue(self, listener: socket.socket) -> None:
        """Three connections that nobody accepts wait in a queue of sixteen."""
        listener.listen(16)
        with ExitStack() as clients, BtfTier(Config()) as tier:
            for _ in range(3):
                clients.enter_context(socket.create_connection(listener.getsockname()))
            rows = shown_until(
                tier, listener.getsockname()[1], lambda rows: 3 in rows["queue_length"]
            )
        (row,) = rows[rows["state"] == State.LISTEN]
        assert (row["queue_limit"], row["role"]) == (16, Role.SERVER)
        assert (row["pid"], comm(row)) == (
            os.getpid(),
            Path("/proc/self/comm").read_bytes().rstrip(),
        )

    def test_child_that_nobody_accepted_is_shown(self, listener: socket.socket) -> None:
        """It is in no fd table; its bytes are counted, its owner is who listens."""
        with socket.create_connection(listener.getsockname()) as client:
            client.sendall(b"x" * 99)
            with BtfTier(Config()) as tier:
                _, child = shown_ends(tier, listener.getsockname()[1])
        assert (child["bytes_received"], child["unread_bytes"]) == (99, 99)
        assert (child["pid"], child["owner_evidence"]) == (os.getpid(), OwnerEvidence.LISTENER)

    def test_orphan_is_shown(self, listener: socket.socket) -> None:
        """A closed socket whose peer does not read waits in FIN_WAIT1, in no fd table."""
        client, server = connect(listener)
        with server:
            client.setblocking(False)
            sent = fill(client)
            client.close()
            with BtfTier(Config()) as tier:
                orphan, other = shown_ends(tier, listener.getsockname()[1])
        assert (orphan["state"], other["state"]) == (State.FIN_WAIT1, State.ESTABLISHED)
        assert (orphan["bytes_sent"], orphan["pid"]) == (sent, 0)
        assert other["unread_bytes"] == other["bytes_received"] == sent - orphan["unacked_bytes"]

    def test_server_blocked_in_accept_owns_its_listener(self) -> None:
        """It has been sitting there since before; its next connection is its own too."""
        program = """
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
kept = [server.accept() for _ in range(2)]
"""
        with running(program) as process, ExitStack() as clients:
            port = int(line(process))
            with BtfTier(EACH_LOOK) as younger:
                client = socket.create_connection(("127.0.0.1", port))
                clients.enter_context(client)
                rows = shown_until(
                    younger, port, lambda rows: (rows["local_port"] == port).sum() == 2
                )
                rows = rows[rows["local_port"] == port]
            process.kill()
        assert set(rows["pid"].tolist()) == {process.pid}
        assert sorted(rows["state"].tolist()) == [State.ESTABLISHED, State.LISTEN]

    def test_restart_finds_the_same_connections(self, listener: socket.socket) -> None:
        """A second tier gives a connection the id that the first gave it, and all its bytes."""
        with BtfTier(Config()) as first:
            recorder = Recorder(first)
            client, server = connect(listener)
            with client, server:
                port = listener.getsockname()[1]
                client.sendall(b"x" * 300)
                server.recv(300, socket.MSG_WAITALL)
                opened = recorder.of_port(port, Kind.OPENED, count=2)
                first.close()
                with BtfTier(Config()) as second:
                    rows = shown_ends(second, port)
        assert {row["connection_id"] for row in rows} == set(opened["connection_id"].tolist())
        assert [int(row["bytes_sent"]) for row in rows] == [300, 0]


def test_storage_that_could_not_be_had_is_counted() -> None:
    """A namespace whose sockets may have no optional memory: each is a counted loss, and no row."""
    with Namespace() as namespace, BtfTier(Config()) as tier:
        before = tier.losses().sockets
        with namespace.entered(), socket.socket() as probe:
            limit = Path("/proc/sys/net/core/optmem_max")
            if not limit.exists():
                pytest.skip("net.core.optmem_max is not per namespace here")
            limit.write_text("0")
            probe.bind(("127.0.0.1", 0))
            probe.listen()
        assert tier.losses().sockets > before


class TestDuringTheLook:
    """Sockets come and go while a look is being taken."""

    def test_what_stays_is_there_once_in_every_look(
        self, recorder: Recorder, listener: socket.socket
    ) -> None:
        """Others open and close meanwhile; those that stay are neither lost nor twice."""
        stop, port = threading.Event(), listener.getsockname()[1]
        listener.listen(128)
        kept = [connect(listener) for _ in range(20)]

        def churn() -> None:
            while not stop.is_set():
                client, server = connect(listener)
                # Gone at once, without TIME_WAIT.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.close()
                server.close()

        thread = threading.Thread(target=churn)
        thread.start()
        ports = sorted(client.getsockname()[1] for client, _ in kept)
        try:
            for _ in range(200):
                rows = shown(recorder.tier, port, peer_port=port)
                found = rows["local_port"][np.isin(rows["local_port"], ports)]
                assert sorted(found.tolist()) == ports
                assert len(np.unique(rows["connection_id"])) == len(rows)
        finally:
            stop.set()
            thread.join(PATIENCE_S)
            for pair in kept:
                for end in pair:
                    end.close()

    def test_snapshot_knows_what_it_shows(
        self, recorder: Recorder, listener: socket.socket
    ) -> None:
        """Of a quiet connection no group is an estimate."""
        client, server = connect(listener)
        with client, server:
            out, _ = shown_ends(recorder.tier, listener.getsockname()[1])
        assert Group(int(out["exact"])) == Group(127)


class TestMinisockets:
    """What is left of connections, and what is not yet one."""

    def test_fin_wait2(self, recorder: Recorder, listener: socket.socket) -> None:
        """An orphan whose peer has not closed is one of them too: the kernel keeps no socket."""
        client, server = connect(listener)
        with server:
            client.close()
            port = listener.getsockname()[1]
            recorder.one(port, Kind.CLOSED)
            (row,) = pick(recorder.tier.minisockets(), port, Kind.SNAPSHOT)
        assert (row["state"], row["peer_port"]) == (State.FIN_WAIT2, port)

    def test_time_wait(self, recorder: Recorder, listener: socket.socket) -> None:
        """The end that closed first waits there for a minute, with its ends and nothing else."""
        client, server = connect(listener)
        port = listener.getsockname()[1]
        client.close()
        server.close()
        recorder.of_port(port, Kind.CLOSED, count=2)
        (row,) = pick(recorder.tier.minisockets(), port, Kind.SNAPSHOT)
        assert (row["state"], row["peer_port"]) == (State.TIME_WAIT, port)
        assert Group(int(row["known"])) == Group.ENDS
        assert not len(shown(recorder.tier, port, state=State.TIME_WAIT))
