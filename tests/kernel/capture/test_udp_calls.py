"""UDP flows: each way to send and to receive, counted to the byte and to the call."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Callable
from typing import Any

import pytest

from connscope.row.words import Group, Kind, OwnerEvidence, Protocol, Role
from tests.kernel.recorder import Recorder, comm
from tests.traffic.build import built

UDP_SEGMENT, UDP_GRO = 103, 104
COUNTERS = ("bytes_sent", "segments_sent", "bytes_received", "segments_received")


def bound(address: str = "127.0.0.1", family: int = socket.AF_INET) -> socket.socket:
    made = socket.socket(family, socket.SOCK_DGRAM)
    made.bind((address, 0))
    return made


def port_of(one: socket.socket) -> int:
    return int(one.getsockname()[1])


def counters(row: Any) -> tuple[int, ...]:
    return tuple(int(row[name]) for name in COUNTERS)


def closed(udp: Recorder, one: socket.socket, **columns: Any) -> Any:
    """The closed row of a socket that is closed now."""
    port = port_of(one)
    one.close()
    return udp.one(port, Kind.CLOSED, local_port=port, **columns)


def pair(address: str = "127.0.0.1", family: int = socket.AF_INET) -> list[socket.socket]:
    """Two sockets that are connected to each other."""
    both = [bound(address, family), bound(address, family)]
    both[0].connect(both[1].getsockname())
    both[1].connect(both[0].getsockname())
    return both


def test_opened_and_closed_say_all_of_a_flow(udp: Recorder) -> None:
    """Ends, owner, role, counters and times, on both sides, all of it exact."""
    one, other = pair()
    one.send(b"x" * 100)
    other.recv(200)
    ports = port_of(one), port_of(other)
    opened = udp.one(ports[0], Kind.OPENED, local_port=ports[0])
    row, mirror = closed(udp, one), closed(udp, other)
    assert (opened["role"], mirror["role"]) == (Role.CLIENT, Role.SERVER)
    for each, evidence in ((row, OwnerEvidence.CONNECT), (mirror, OwnerEvidence.ACCEPT)):
        assert (each["protocol"], each["family"]) == (Protocol.UDP, 4)
        assert (each["pid"], each["owner_evidence"]) == (os.getpid(), evidence)
        assert each["exact"] == each["known"] == 47
        assert 0 < each["opened_ns"] < each["closed_ns"] == each["time_ns"]
    assert comm(row) == comm(mirror) != b""
    assert (row["local_port"], row["peer_port"]) == ports
    assert opened["connection_id"] == row["connection_id"] != mirror["connection_id"]
    assert counters(row) == (100, 1, 0, 0)
    assert counters(mirror) == (0, 0, 100, 1)


SENDS: dict[str, Callable[[socket.socket, Any], int]] = {
    "sendto": lambda one, peer: one.sendto(b"x" * 33, peer),
    "sendmsg": lambda one, peer: one.sendmsg([b"x" * 30, b"yyy"], [], 0, peer),
}
RECEIVES: dict[str, Callable[[socket.socket], object]] = {
    "recvfrom": lambda one: one.recvfrom(100),
    "recvmsg": lambda one: one.recvmsg(100),
}


@pytest.mark.parametrize("send", SENDS)
@pytest.mark.parametrize("receive", RECEIVES)
@pytest.mark.parametrize(
    ("address", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)]
)
def test_unconnected_calls(
    udp: Recorder, send: str, receive: str, address: str, family: int
) -> None:
    """What a call names is the peer, in both directions."""
    one, other = bound(address, family), bound(address, family)
    for _ in range(3):
        SENDS[send](one, other.getsockname())
        RECEIVES[receive](other)
    ports = port_of(one), port_of(other)
    sender = closed(udp, one, peer_port=ports[1])
    receiver = closed(udp, other, peer_port=ports[0])
    assert (counters(sender), counters(receiver)) == ((99, 3, 0, 0), (0, 0, 99, 3))
    assert sender["family"] == receiver["family"] == (4 if family == socket.AF_INET else 6)
    assert (sender["peer_address"] == receiver["local_address"]).all()


def test_v4_mapped_is_a_v4_flow(udp: Recorder) -> None:
    """A v6 socket that talks to 127.0.0.1 has an IPv4 flow."""
    server = bound()
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as client:
        client.bind(("::", 0))
        client.sendto(b"12345", ("::ffff:127.0.0.1", port_of(server)))
        server.sendto(b"123", server.recvfrom(9)[1])
        client.recvfrom(9)
        row = closed(udp, client)
    server.close()
    assert (row["family"], counters(row)) == (4, (5, 1, 3, 1))
    assert bytes(row["peer_address"]) == bytes(10) + b"\xff\xff\x7f\0\0\1"


@pytest.mark.parametrize("kind", ["send", "recv"])
def test_mmsg_counts_each_message(udp: Recorder, kind: str) -> None:
    """sendmmsg and recvmmsg move many datagrams in a call; each of them counts."""
    one, other = pair()
    other.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    mover = one if kind == "send" else other
    if kind == "recv":
        for _ in range(20):
            one.send(b"x" * 1000)
    said = subprocess.run(
        [built("messages"), kind, str(mover.fileno()), "20000"],
        pass_fds=[mover.fileno()],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    ).stdout
    row = closed(udp, mover)
    one.close()
    other.close()
    place = 0 if kind == "send" else 2
    assert counters(row)[place] == 20000, said
    assert counters(row)[place + 1] > 1


@pytest.mark.usefixtures("io_uring")
@pytest.mark.parametrize("kind", ["send", "recv"])
def test_io_uring_counts(udp: Recorder, kind: str) -> None:
    """One operation of io_uring is one call."""
    one, other = pair()
    mover = one if kind == "send" else other
    if kind == "recv":
        one.send(b"x" * 700)
    subprocess.run(
        [built("uring"), kind, str(mover.fileno()), "700"],
        pass_fds=[mover.fileno()],
        check=True,
        capture_output=True,
    )
    row = closed(udp, mover)
    one.close()
    other.close()
    assert counters(row) == ((700, 1, 0, 0) if kind == "send" else (0, 0, 700, 1))


def test_sendfile_counts(udp: Recorder) -> None:
    """A file's bytes are sent without a buffer of ours."""
    one, other = pair()
    file = os.memfd_create("body")
    os.truncate(file, 900)
    assert os.sendfile(one.fileno(), file, 0, 900) == 900
    os.close(file)
    row = closed(udp, one)
    other.close()
    assert counters(row)[:2] == (900, 1)


def test_segmentation_is_one_call_each_way(udp: Recorder) -> None:
    """UDP_SEGMENT cuts 5000 bytes into five datagrams, UDP_GRO gives them back as one receive."""
    one, other = pair()
    one.setsockopt(socket.SOL_UDP, UDP_SEGMENT, 1000)
    other.setsockopt(socket.SOL_UDP, UDP_GRO, 1)
    one.send(b"x" * 5000)
    received = len(other.recv(9000))
    sender, receiver = closed(udp, one), closed(udp, other)
    assert (counters(sender), counters(receiver)) == ((5000, 1, 0, 0), (0, 0, received, 1))


def test_held_back_datagrams_belong_to_the_named_peer(udp: Recorder) -> None:
    """MSG_MORE adds to a datagram; the calls that follow name nobody."""
    one, other = bound(), bound()
    one.sendto(b"x" * 10, socket.MSG_MORE, other.getsockname())
    one.send(b"y" * 5, socket.MSG_MORE)
    one.send(b"z")
    assert len(other.recv(99)) == 16
    row = closed(udp, one)
    other.close()
    assert counters(row)[0] == 16
    assert row["peer_port"] > 0


def test_peeking_counts_nothing(udp: Recorder) -> None:
    """MSG_PEEK shows a datagram that is received later, once."""
    one, other = pair()
    one.send(b"x" * 50)
    for _ in range(3):
        other.recv(100, socket.MSG_PEEK)
    other.recv(100)
    row = closed(udp, other)
    one.close()
    assert counters(row) == (0, 0, 50, 1)


@pytest.mark.parametrize(("flags", "counted"), [(0, 20), (socket.MSG_TRUNC, 500)])
def test_cut_off_datagrams_count_as_the_call_says(udp: Recorder, flags: int, counted: int) -> None:
    """A receive that has no room returns what it took, or with MSG_TRUNC what there was."""
    one, other = pair()
    one.send(b"x" * 500)
    other.recv_into(bytearray(20), 20, flags)
    row = closed(udp, other)
    one.close()
    assert counters(row) == (0, 0, counted, 1)


def test_empty_datagrams_and_nothing(udp: Recorder) -> None:
    """A datagram of no bytes is one; a receive that would block is none."""
    one, other = pair()
    other.setblocking(False)
    with pytest.raises(BlockingIOError):
        other.recv(9)
    one.send(b"")
    assert other.recv(9) == b""
    sender, receiver = closed(udp, one), closed(udp, other)
    assert (counters(sender), counters(receiver)) == ((0, 1, 0, 0), (0, 0, 0, 1))


def test_two_threads_on_one_socket_with_two_peers(udp: Recorder) -> None:
    """Calls that are under way at the same time do not take each other's peers."""
    one, peers, calls = bound(), [bound(), bound()], 20_000

    def send(peer: socket.socket, size: int) -> None:
        address = peer.getsockname()
        for _ in range(calls):
            one.sendto(b"x" * size, address)

    threads = [
        threading.Thread(target=send, args=(peer, size))
        for peer, size in zip(peers, (3, 5), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ports, own = [port_of(peer) for peer in peers], port_of(one)
    one.close()
    rows = udp.of_port(own, Kind.CLOSED, count=2)
    found = {int(row["peer_port"]): counters(row)[:2] for row in rows}
    for peer in peers:
        peer.close()
    assert found == {ports[0]: (3 * calls, calls), ports[1]: (5 * calls, calls)}


def test_nameless_receive_is_the_only_peers_by_inference(udp: Recorder) -> None:
    """recv() does not ask who sent: the only peer so far is taken for it, and that is said."""
    one, other = bound(), bound()
    one.sendto(b"ask", other.getsockname())
    other.sendto(b"answer", other.recvfrom(9)[1])
    one.recv(99)
    row = closed(udp, one)
    other.close()
    assert counters(row) == (3, 1, 6, 1)
    assert not row["exact"] & Group.TRAFFIC


def test_nameless_receive_of_nobody_known(udp: Recorder) -> None:
    """A socket that only ever calls recv() has a flow without a peer, its bytes all the same."""
    one, other = bound(), bound()
    other.sendto(b"x" * 70, one.getsockname())
    one.recv(99)
    row = closed(udp, one)
    other.close()
    assert (row["peer_port"], counters(row)) == (0, (0, 0, 70, 1))
    assert not row["exact"] & Group.ENDS


def test_connected_socket_that_also_names_another_peer(udp: Recorder) -> None:
    """Plain calls are the connected peer's while another thread names somebody else."""
    one, other, third, calls = bound(), bound(), bound(), 20_000
    one.connect(other.getsockname())
    ports, own, address = (port_of(other), port_of(third)), port_of(one), third.getsockname()

    def name() -> None:
        for _ in range(calls):
            one.sendto(b"x" * 5, address)

    thread = threading.Thread(target=name)
    thread.start()
    for _ in range(calls):
        one.send(b"x" * 3)
    thread.join()
    one.close()
    rows = udp.of_port(own, Kind.CLOSED, count=2)
    for each in (other, third):
        each.close()
    found = {int(row["peer_port"]): counters(row)[:2] for row in rows}
    assert found == {ports[0]: (3 * calls, calls), ports[1]: (5 * calls, calls)}
