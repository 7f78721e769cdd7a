"""Every way in which a connect fails, with its word and, where there is one, its errno."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest

from connscope.kernel import BpfObject
from connscope.kernel.host.mounts import find_cgroup2
from connscope.row.address import address_text
from connscope.row.words import Failure, Group, Kind, OwnerEvidence, Role
from tests.kernel.namespace import run_in_namespace
from tests.kernel.recorder import Recorder, comm

OBJECTS = Path(__file__).parents[1] / "objects"
LOOPBACK_UP = "ip link set lo up"
TOLD = Group.IDENTITY | Group.ENDS | Group.OWNER | Group.QUALITY | Group.LIFE


def now_ns() -> int:
    """The clock of the rows, as the application reads it."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


@dataclass(frozen=True)
class Attempt:
    """One connect() as the application knows it; the row is compared with this."""

    peer: tuple[str, int]
    error: int
    before_ns: int
    after_ns: int

    @classmethod
    def make(cls, client: socket.socket, address: str, port: int) -> Self:
        """Connects; blocks as long as the socket does."""
        before_ns = now_ns()
        error = client.connect_ex((address, port))
        return cls((address, port), error, before_ns, now_ns())

    def check(self, row: Any, failure: Failure, told: Group = TOLD) -> None:
        """The row tells the failure, the errno, our process, the peer and when it was.

        Args:
            row: of the attempt.
            failure: its word.
            told: the groups that are exact.
        """
        assert (row["failure"], row["error"]) == (failure, self.error)
        assert (row["pid"], row["owner_evidence"]) == (os.getpid(), OwnerEvidence.CONNECT)
        assert comm(row) == Path("/proc/self/comm").read_bytes().rstrip()
        address = self.peer[0].removeprefix("::ffff:")
        assert address_text(row["peer_address"].tobytes()) == address
        assert (row["peer_port"], row["role"]) == (self.peer[1], Role.CLIENT)
        assert row["family"] == (6 if ":" in address else 4)
        assert self.before_ns < row["opened_ns"] < row["closed_ns"] < self.after_ns
        assert Group(int(row["exact"])) & TOLD == told


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


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_refused(recorder: Recorder, address: str) -> None:
    """A closed port refuses: errno, process, both ends and how long it took."""
    port = free_port()
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as client:
        attempt = Attempt.make(client, address, port)
    row = recorder.one(port, Kind.FAILED)

    assert attempt.error == errno.ECONNREFUSED
    attempt.check(row, Failure.REFUSED)
    assert row["local_port"] != 0
    assert (row["bytes_sent"], row["bytes_received"]) == (0, 0)


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
        "echo 100 > /proc/sys/net/ipv4/neigh/left/retrans_time_ms",
    )
    row = recorder.one(port, Kind.FAILED)

    assert (row["failure"], row["error"]) == (Failure.UNREACHABLE, errno.EHOSTUNREACH)


def denied_connect(port: int) -> int:
    """A connect that a program of its cgroup denies; the pid of who asked."""
    root = find_cgroup2()
    assert root is not None
    cgroup = root / f"connscope-test-{os.getpid()}"
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
    return child


def test_denied_by_a_cgroup_program(recorder: Recorder) -> None:
    """A cgroup's own program says no: denied, with the errno that the application got."""
    port = free_port()
    child = denied_connect(port)
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
