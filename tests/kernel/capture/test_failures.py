"""Every way in which a connect fails, with its word and, where there is one, its errno."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from connscope.kernel import BpfObject
from connscope.kernel.host.mounts import find_cgroup2
from connscope.row.address import address_text
from connscope.row.words import Failure, Group, Kind, OwnerEvidence
from tests.kernel.namespace import run_in_namespace
from tests.kernel.recorder import Recorder

OBJECTS = Path(__file__).parents[1] / "objects"
LOOPBACK_UP = "ip link set lo up"


@pytest.fixture
def full_listener() -> Iterator[socket.socket]:
    """A listener whose accept queue is full, so that the kernel drops further SYNs."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        with socket.create_connection(listener.getsockname()):
            yield listener


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_refused(recorder: Recorder) -> None:
    """A closed port refuses: errno, pid, both ends and how long it took."""
    port = free_port()
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED
    row = recorder.one(port, Kind.FAILED)

    assert (row["failure"], row["error"]) == (Failure.REFUSED, errno.ECONNREFUSED)
    assert (row["pid"], row["owner_evidence"]) == (os.getpid(), OwnerEvidence.CONNECT)
    assert address_text(row["peer_address"].tobytes()) == "127.0.0.1"
    assert row["local_port"] != 0
    assert row["closed_ns"] > row["opened_ns"] > 0
    assert (row["bytes_sent"], row["bytes_received"]) == (0, 0)


def test_timeout(recorder: Recorder, full_listener: socket.socket) -> None:
    """No answer to any SYN: timeout, and the retransmits are counted."""
    port = full_listener.getsockname()[1]
    with socket.socket() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 1)
        assert client.connect_ex(("127.0.0.1", port)) == errno.ETIMEDOUT
    row = recorder.one(port, Kind.FAILED)

    assert (row["failure"], row["error"]) == (Failure.TIMEOUT, errno.ETIMEDOUT)
    assert row["retransmits"] >= 1


def test_abandoned(recorder: Recorder, full_listener: socket.socket) -> None:
    """The application closed while it waited: there is no errno to tell."""
    port = full_listener.getsockname()[1]
    with socket.socket() as client:
        client.setblocking(False)
        assert client.connect_ex(("127.0.0.1", port)) == errno.EINPROGRESS
    row = recorder.one(port, Kind.FAILED)

    assert (row["failure"], row["error"]) == (Failure.ABANDONED, 0)


def test_no_port(recorder: Recorder) -> None:
    """Every local port to that peer is taken."""
    port = run_in_namespace(
        """
address = ("127.0.0.1", 5000)
listener = socket.create_server(address)
first = socket.create_connection(address)
second = socket.socket()
assert second.connect_ex(address) == errno.EADDRNOTAVAIL
print(address[1])
""",
        LOOPBACK_UP,
        "echo 40000 40000 > /proc/sys/net/ipv4/ip_local_port_range",
    )
    row = recorder.one(port, Kind.FAILED)

    assert (row["failure"], row["error"]) == (Failure.NO_PORT, errno.EADDRNOTAVAIL)


def test_no_port_of_a_bound_socket(recorder: Recorder) -> None:
    """The same with a source port that the application chose: not taken for abandoned."""
    port = run_in_namespace(
        """
listener = socket.create_server(("127.0.0.1", 0))
address = listener.getsockname()
clients = [socket.socket() for _ in range(2)]
for client in clients:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind(("127.0.0.1", 40000))
clients[0].connect(address)
assert clients[1].connect_ex(address) == errno.EADDRNOTAVAIL
print(address[1])
""",
        LOOPBACK_UP,
    )
    row = recorder.one(port, Kind.FAILED)

    assert (row["failure"], row["error"]) == (Failure.NO_PORT, errno.EADDRNOTAVAIL)


def test_no_route(recorder: Recorder) -> None:
    """A connect that never sent a SYN is seen, with its process, namespace and peer; the word is an
    inference and says so."""
    namespace = run_in_namespace(
        """
with socket.socket() as client:
    assert client.connect_ex(("10.1.2.3", 4711)) == errno.ENETUNREACH
print(json.dumps([os.stat("/proc/self/ns/net").st_ino, os.getpid()]))
"""
    )
    row = recorder.one(4711, Kind.FAILED, netns=namespace[0])

    assert row["failure"] == Failure.UNREACHABLE
    assert (row["pid"], row["owner_evidence"]) == (namespace[1], OwnerEvidence.CONNECT)
    assert address_text(row["peer_address"].tobytes()) == "10.1.2.3"
    assert Group.QUALITY not in Group(int(row["exact"]))


def test_no_route_ipv6(recorder: Recorder) -> None:
    """The same for IPv6."""
    namespace = run_in_namespace(
        """
with socket.socket(socket.AF_INET6) as client:
    assert client.connect_ex(("fd00::1", 4712)) == errno.ENETUNREACH
print(os.stat("/proc/self/ns/net").st_ino)
""",
        LOOPBACK_UP,
    )
    row = recorder.one(4712, Kind.FAILED, netns=namespace)

    assert (row["failure"], row["family"]) == (Failure.UNREACHABLE, 6)
    assert address_text(row["peer_address"].tobytes()) == "fd00::1"


def test_no_route_twice_on_one_socket_then_connected(recorder: Recorder) -> None:
    """Two attempts without a SYN and one that works are three connections of one socket."""
    port = run_in_namespace(
        """
listener = socket.create_server(("127.0.0.1", 0))
port = listener.getsockname()[1]
with socket.socket() as client:
    assert client.connect_ex(("10.1.2.3", port)) == errno.ENETUNREACH
    assert client.connect_ex(("10.1.2.4", port)) == errno.ENETUNREACH
    client.connect(("127.0.0.1", port))
print(port)
""",
        LOOPBACK_UP,
    )
    failed = recorder.of_port(port, Kind.FAILED, count=1)
    opened = recorder.of_port(port, Kind.OPENED, count=2)
    opened = opened[opened["role"] == 1]

    peers = [address_text(row["peer_address"].tobytes()) for row in failed]
    assert peers == ["10.1.2.3", "10.1.2.4"]
    assert len({*failed["connection_id"].tolist(), *opened["connection_id"].tolist()}) == 3
    assert set(failed["socket_id"].tolist()) == set(opened["socket_id"].tolist())


def test_host_unreachable(recorder: Recorder) -> None:
    """Nobody answers ARP: the kernel's own EHOSTUNREACH."""
    port = 4713
    run_in_namespace(
        """
with socket.socket() as client:
    assert client.connect_ex(("10.9.8.7", 4713)) == errno.EHOSTUNREACH
print(1)
""",
        LOOPBACK_UP,
        "ip link add left type veth peer name right",
        "ip addr add 10.9.8.1/24 dev left",
        "ip link set left up",
        "ip link set right up",
    )
    row = recorder.one(port, Kind.FAILED)

    assert (row["failure"], row["error"]) == (Failure.UNREACHABLE, errno.EHOSTUNREACH)


def test_denied_by_a_cgroup_program(recorder: Recorder) -> None:
    """A cgroup's own program says no: denied, with the errno that the application got."""
    root = find_cgroup2()
    assert root is not None
    cgroup = root / f"connscope-test-{os.getpid()}"
    port = free_port()
    cgroup.mkdir()
    try:
        with BpfObject(OBJECTS / "deny.bpf.o") as deny:
            deny.load()
            link = deny.programs["deny_connect4"].attach_cgroup(cgroup)
            child = os.fork()
            if not child:
                (cgroup / "cgroup.procs").write_text(str(os.getpid()))
                os._exit(socket.socket().connect_ex(("127.0.0.1", port)))
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == errno.EPERM
            link.close()
    finally:
        cgroup.rmdir()
    row = recorder.one(port, Kind.FAILED)

    assert (row["failure"], row["error"], row["pid"]) == (Failure.DENIED, errno.EPERM, child)
    assert Group.QUALITY in Group(int(row["exact"]))


def test_1200_refused_connects_leave_nothing_behind(recorder: Recorder) -> None:
    """tcptracer-bpf went blind after 1,024 of them: here each makes a row, and no storage stays."""
    port = free_port()
    for _ in range(1200):
        with socket.socket() as client:
            assert client.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED
    failed = recorder.of_port(port, Kind.FAILED, count=1200)

    assert len(failed) == 1200
    assert len(set(failed["connection_id"].tolist())) == 1200
    with BpfObject(OBJECTS / "storage_walk.bpf.o") as walker:
        walker.load()
        tracked = recorder.tier.map("tracked_sockets")
        storage = walker.programs["walk_storage"].attach_iterator("u8", tracked)
        left = set(storage.read().tolist()) & set(failed["socket_id"].tolist())
        storage.close()
    assert left == set()
    assert recorder.tier.losses().sockets == 0
