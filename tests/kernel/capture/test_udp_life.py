"""UDP flows: how they end, what does not fit, and that the switch is one."""

from __future__ import annotations

import mmap
import os
import random
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np

from connscope.capture.btf.tier import BtfTier
from connscope.config import Config
from connscope.row.words import Group, Kind, Protocol, Role
from tests.kernel.capture.test_udp_calls import bound, closed, counters, pair, port_of
from tests.kernel.capture.udp_ways import WAYS_HERE, Counting
from tests.kernel.recorder import Recorder, pick

SOCKETS = 500
IDLE = Config(udp=True, udp_idle_s=1, udp_idle_both_s=1)


def test_idle_flow_ends_with_all_that_was_counted(counting: Counting) -> None:
    """Without a datagram for as long as is set it is told as idle, and comes back with its id."""
    with counting(IDLE) as tier:
        udp = Recorder(tier)
        one, other = pair()
        one.send(b"x" * 11)
        own = port_of(one)
        opened = udp.one(own, Kind.OPENED, local_port=own)
        idle = udp.one(own, Kind.IDLE, local_port=own)
        assert counters(idle) == (11, 1, 0, 0)
        assert opened["opened_ns"] <= idle["closed_ns"] < idle["time_ns"]
        assert not len(pick(tier.look(), own, Kind.SNAPSHOT))
        one.send(b"y" * 5)
        row = closed(udp, one)
        other.close()
    assert counters(row) == (5, 1, 0, 0)
    assert row["connection_id"] == idle["connection_id"] == opened["connection_id"]


def test_used_flow_is_not_idle(counting: Counting) -> None:
    """What is used now and then lives on, and nothing of it is told twice or lost."""
    with counting(IDLE) as tier:
        udp, quiet = Recorder(tier), pair()
        one, other = pair()
        quiet[0].send(b"q")
        sent = 0
        end = port_of(quiet[0])
        while not len(pick(udp.drain(), end, Kind.IDLE)):
            sent += one.send(b"x" * 3)
            tier.wait(0.2)
        own = port_of(one)
        row = closed(udp, one)
        for each in (other, *quiet):
            each.close()
    assert not len(pick(udp.rows, own, Kind.IDLE))
    assert counters(row)[0] == sent


def test_every_datagram_is_told_while_flows_go_idle_and_come_back(counting: Counting) -> None:
    """Sums over all rows of flows that end again and again are what was sent."""
    with counting(Config(udp=True, udp_idle_s=1, udp_idle_both_s=1)) as tier:
        udp = Recorder(tier)
        one, peers = bound(), [bound() for _ in range(50)]
        own, sent, chance = port_of(one), 0, random.Random(1)
        while len(pick(udp.drain(), own, Kind.IDLE, local_port=own)) < 10:
            for peer in chance.sample(peers, 4):
                sent += one.sendto(b"x" * 7, peer.getsockname())
            tier.wait(0.1)
        one.close()
        ends = (Kind.IDLE, Kind.CLOSED)

        def told() -> int:
            return int(pick(udp.rows, own, *ends, local_port=own)["bytes_sent"].sum())

        udp.until(lambda _: told() >= sent)
        for peer in peers:
            peer.close()
    assert told() == sent


def test_socket_with_many_peers_closes_all_of_its_flows(udp: Recorder) -> None:
    """One row for each peer, with the time of the close."""
    one, peers = bound(), [bound() for _ in range(300)]
    own = port_of(one)
    for number, peer in enumerate(peers):
        one.sendto(bytes(number), peer.getsockname())
    one.close()
    rows = udp.of_port(own, Kind.CLOSED, count=300)
    for peer in peers:
        peer.close()
    assert sorted(rows["bytes_sent"].tolist()) == list(range(300))
    assert len(np.unique(rows["connection_id"])) == 300
    assert len(np.unique(rows["closed_ns"])) == 1


def test_closed_flows_that_find_no_room_are_told_later(counting: Counting) -> None:
    """A ring for 19 rows is given 300: each comes, as closed, when there is room again."""
    with counting(Config(udp=True, ring_bytes=4096)) as tier:
        one, peers = bound(), [bound() for _ in range(300)]
        own = port_of(one)
        for peer in peers:
            one.sendto(b"x", peer.getsockname())
        one.close()
        rows = Recorder(tier).of_port(own, Kind.CLOSED, count=300)
    for peer in peers:
        peer.close()
    assert len(np.unique(rows["connection_id"])) == 300
    assert len(np.unique(rows["closed_ns"])) == 1


def test_first_datagrams_to_two_peers_at_once(udp: Recorder) -> None:
    """Two processes begin two flows of one socket in the same moment; its close ends both."""
    sockets, peers = [bound() for _ in range(SOCKETS)], [bound(), bound()]
    go = mmap.mmap(-1, SOCKETS)
    child = os.fork()
    address = peers[child > 0].getsockname()
    for number, each in enumerate(sockets):
        if child:
            go[number] = 1
        while not go[number]:
            pass
        each.sendto(b"x", address)
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    go.close()
    ports = {port_of(each) for each in sockets}
    for each in (*sockets, *peers):
        each.close()

    def told() -> int:
        closed_rows = udp.rows[udp.rows["kind"] == Kind.CLOSED]
        return int(np.isin(closed_rows["local_port"], list(ports)).sum())

    udp.until(lambda _: told() >= len(peers) * SOCKETS)


def test_exit_closes(udp: Recorder) -> None:
    """A process that just ends has its flows closed, with its pid."""
    with bound() as other:
        code = (
            "import os,socket,sys;s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM);"
            "s.sendto(b'bye',('127.0.0.1',int(sys.argv[1])));print(os.getpid(),flush=True);"
            "os._exit(0)"
        )
        said = subprocess.run(
            [sys.executable, "-c", code, str(port_of(other))],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        row = udp.one(port_of(other), Kind.CLOSED, peer_port=port_of(other))
    assert (row["pid"], counters(row)) == (int(said), (3, 1, 0, 0))


def test_no_room_is_counted(counting: Counting) -> None:
    """With 256 slots, datagrams to 300 peers: what finds no room is a loss."""
    with counting(Config(udp=True, udp_flows_max=256)) as tier:
        before = tier.losses().datagrams
        one, peers = bound(), [bound() for _ in range(300)]
        for peer in peers:
            one.sendto(b"x", peer.getsockname())
        shown = len(pick(tier.look(), port_of(one), Kind.SNAPSHOT))
        dropped = tier.losses().datagrams - before
        one.close()
        for peer in peers:
            peer.close()
    assert 0 < shown <= 256
    assert dropped >= 300 - shown


def test_look_shows_what_was_counted_so_far(udp: Recorder) -> None:
    """Between the opened and the closed row, in numbers that only grow."""
    one, other = pair()
    own = port_of(one)
    for number in range(1, 4):
        one.send(b"x" * 10)
        (row,) = pick(udp.tier.look(), own, Kind.SNAPSHOT, local_port=own)
        assert counters(row) == (10 * number, number, 0, 0)
        assert row["protocol"] == Protocol.UDP
    one.close()
    assert not len(pick(udp.tier.look(), own, Kind.SNAPSHOT, local_port=own))
    other.close()


def test_socket_that_is_older_says_so(counting: Counting) -> None:
    """What it sent before we came nobody has counted."""
    one, other = pair()
    one.send(b"before")
    with counting(Config(udp=True)) as tier:
        one.send(b"x")
        row = closed(Recorder(tier), one)
    other.close()
    assert counters(row) == (1, 1, 0, 0)
    assert not row["exact"] & (Group.TRAFFIC | Group.LIFE)
    assert row["role"] == Role.UNKNOWN


def test_id_is_the_same_after_a_restart(counting: Counting) -> None:
    """It is made of socket and peer."""
    one, other = pair()
    ids = []
    for _ in range(2):
        with counting(Config(udp=True)) as tier:
            one.send(b"x")
            (row,) = pick(tier.look(), port_of(one), Kind.SNAPSHOT, local_port=port_of(one))
            ids.append(int(row["connection_id"]))
    one.close()
    other.close()
    assert ids[0] == ids[1]


def test_reuseport_sockets_have_flows_of_their_own(udp: Recorder) -> None:
    """Two sockets on one port: what each received is its own, and together it is all."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for each in sockets:
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        each.bind(("127.0.0.1", port_of(sockets[0]) if each is sockets[1] else 0))
        each.setblocking(False)
    clients, port = [bound() for _ in range(20)], port_of(sockets[0])
    for client in clients:
        client.sendto(b"12345", ("127.0.0.1", port))
    received = [0, 0]
    for number, each in enumerate(sockets):
        try:
            while True:
                received[number] += len(each.recvfrom(9)[0])
        except BlockingIOError:
            pass
    rows = pick(udp.tier.look(), port, Kind.SNAPSHOT, local_port=port)
    for each in (*sockets, *clients):
        each.close()
    found = [
        int(rows["bytes_received"][rows["socket_id"] == one].sum())
        for one in set(rows["socket_id"])
    ]
    assert sorted(found) == sorted(number for number in received if number)
    assert sum(received) == 100


def test_off_attaches_nothing() -> None:
    """Not one link or program more than TCP needs, and no UDP row."""

    def links() -> int:
        directory = Path("/proc/self/fd")
        targets = [str(each.readlink()) for each in directory.iterdir() if each.is_symlink()]
        return sum("bpf_link" in target or "bpf-prog" in target for target in targets)

    with BtfTier(Config()) as tier:
        without = links()
        recorder = Recorder(tier)
        one, other = pair()
        one.send(b"x")
        assert not (recorder.drain()["protocol"] == Protocol.UDP).any()
        assert not (tier.look()["protocol"] == Protocol.UDP).any()
        assert tier.parts["udp"].unwanted
        assert Kind.IDLE not in tier.kinds
    with BtfTier(Config(udp=True)):
        assert links() >= without + 8
    one.close()
    other.close()


def test_best_way_is_taken() -> None:
    """By fexit where that may be loaded: it leaves TCP alone."""
    with BtfTier(Config(udp=True)) as tier:
        assert tier.udp_way == (WAYS_HERE or [""])[0]
