"""Connects that find no way to the peer: no SYN leaves, and the kernel tells nobody."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from connscope.row.address import address_text
from connscope.row.words import Failure, Group, Kind, OwnerEvidence
from tests.kernel.capture.test_failures import LOOPBACK_UP, Attempt, now_ns
from tests.kernel.namespace import Namespace, run_in_namespace
from tests.kernel.recorder import Recorder, comm

PORT = 4714


ROUTES = {
    "unreachable 10.78.1.0/24": ("10.78.1.1", errno.EHOSTUNREACH),
    "prohibit 10.78.2.0/24": ("10.78.2.1", errno.EACCES),
    "blackhole 10.78.3.0/24": ("10.78.3.1", errno.EINVAL),
    "throw 10.78.4.0/24": ("10.78.4.1", errno.ENETUNREACH),
    "unreachable 10.78.5.0/24": ("::ffff:10.78.5.1", errno.EHOSTUNREACH),
    "unreachable fd78:1::/64": ("fd78:1::1", errno.EHOSTUNREACH),
    "prohibit fd78:2::/64": ("fd78:2::1", errno.EACCES),
    "blackhole fd78:3::/64": ("fd78:3::1", errno.EINVAL),
    "throw fd78:4::/64": ("fd78:4::1", errno.ENETUNREACH),
}


@pytest.fixture(scope="module")
def namespace() -> Iterator[Namespace]:
    """A namespace with all the routes that lead nowhere."""
    with Namespace() as namespace:
        for route in ROUTES:
            namespace.run(f"ip route add {route}")
        yield namespace


@pytest.mark.parametrize(("address", "error"), ROUTES.values(), ids=ROUTES)
def test_route_that_refuses(
    recorder: Recorder, namespace: Namespace, address: str, error: int
) -> None:
    """The application gets the route's errno; the row has its process, the peer and the time, no
    errno, and a word that it does not call exact."""
    with namespace.tcp(socket.AF_INET6 if ":" in address else socket.AF_INET) as client:
        attempt = Attempt.make(client, address, PORT)
    closed_ns = now_ns()
    row = recorder.one(PORT, Kind.FAILED, netns=namespace.inode)

    assert attempt.error == error
    assert (row["failure"], row["error"]) == (Failure.UNREACHABLE, 0)
    assert not Group(int(row["exact"])) & (Group.QUALITY | Group.LIFE)
    assert (row["pid"], row["owner_evidence"]) == (os.getpid(), OwnerEvidence.CONNECT)
    assert comm(row) == Path("/proc/self/comm").read_bytes().rstrip()
    assert address_text(row["peer_address"].tobytes()) == address.removeprefix("::ffff:")
    assert attempt.before_ns < row["opened_ns"] < attempt.after_ns
    assert row["opened_ns"] < row["closed_ns"] < closed_ns


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
