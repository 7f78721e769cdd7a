"""The audit against the real kernel's counters."""

from __future__ import annotations

import errno
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from tests.kernel.namespace import Namespace
from tests.kernel.tracker.audited import auditing, numbers, verdict_when, verdicts
from tests.traffic import __main__ as command
from tests.traffic.kinds import KINDS
from tests.traffic.namespace import Namespace as TrafficNamespace

from connscope.capture.ladder import Ladder
from connscope.config import Config
from connscope.tracker.audit import Audit
from connscope.tracker.audit_reading import read_established
from connscope.tracker.audit_verdict import Cause

LINGER_NOTHING = struct.pack("ii", 1, 0)
SMALL_RING = 4096
NO_TCP = {"udp_connected", "udp_unconnected"}
TOO_LONG = {"idle", "bulk"}
assert command.MODULES


@contextmanager
def inhabited() -> Iterator[Namespace]:
    """A namespace with a process in it, so that one can enter it."""
    with Namespace() as namespace:
        with namespace.entered():
            somebody = subprocess.Popen(["sleep", "1000"])
        try:
            yield namespace
        finally:
            somebody.kill()
            somebody.wait()


def connect(namespace: Namespace, address: tuple[str, int]) -> socket.socket:
    """A connection of the namespace."""
    client = namespace.tcp()
    client.connect(address)
    return client


def reset(connection: socket.socket) -> None:
    """Closes without a FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOTHING)
    connection.close()


def refuse(namespace: Namespace, times: int) -> None:
    """Connects to nobody."""
    for _ in range(times):
        with namespace.tcp() as client:
            assert client.connect_ex(("127.0.0.1", 9)) == errno.ECONNREFUSED


def abandon(namespace: Namespace, times: int) -> None:
    """Connects to a full queue, and gives up."""
    full = namespace.listener("127.0.0.1", backlog=0)
    with full, connect(namespace, full.getsockname()):
        clients = [namespace.tcp() for _ in range(times)]
        for client in clients:
            client.setblocking(False)
            assert client.connect_ex(full.getsockname()) == errno.EINPROGRESS
        for client in clients:
            client.close()


def test_thousand_connections_of_every_kind_are_equal() -> None:
    """Closed, reset by either end, refused, turned away by a full queue: not one is missing."""
    with inhabited() as namespace, auditing() as audit:
        with namespace.listener("127.0.0.1", backlog=64) as listener:
            for number in range(700):
                client = connect(namespace, listener.getsockname())
                server = listener.accept()[0]
                end = (socket.socket.close, reset)[number % 7 == 0]
                first, second = (client, server) if number % 2 else (server, client)
                end(first)
                second.close()
        refuse(namespace, 280)
        abandon(namespace, 20)
        found = verdict_when(audit, namespace.inode, lambda each: each.counted[0] >= 1702)
    assert found.gaps == ()
    assert found.agrees
    seen = numbers(found)
    assert seen["ActiveOpens"] == (1001, 1001)
    assert seen["PassiveOpens"] == (701, 701)
    assert seen["AttemptFails"] == (280, 280)
    assert seen["EstabResets"] == (201, 201)  # one waited to be accepted
    assert found.notes["TcpExtListenOverflows"] >= 20


@pytest.fixture
def kept_namespaces(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The inodes of all namespaces that traffic makes; each has a process for as long as the test
    lasts."""
    inodes, processes = list[int](), list[subprocess.Popen[bytes]]()
    make = TrafficNamespace.__init__

    def make_and_keep(made: TrafficNamespace) -> None:
        make(made)
        with made:
            processes.append(subprocess.Popen(["sleep", "1000"]))
        inodes.append(made.inode)

    monkeypatch.setattr(TrafficNamespace, "__init__", make_and_keep)
    yield inodes
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.parametrize("kind", sorted(KINDS.keys() - NO_TCP - TOO_LONG))
def test_traffic_is_counted_as_the_kernel_does(kind: str, kept_namespaces: list[int]) -> None:
    """Exactly, in each namespace of each kind of traffic: Fast Open, SYN cookies, MPTCP, ..."""
    with auditing() as audit:
        with TrafficNamespace():
            KINDS[kind].run()
        assert kept_namespaces
        for inode in kept_namespaces:
            # A span agrees with rows that have not come yet: the namespace was met a moment ago.
            found = verdict_when(audit, inode, lambda each: each.state is None and each.agrees)
            assert found.gaps == ()
            seen = numbers(found)
            for name in ("ActiveOpens", "PassiveOpens", "EstabResets"):
                assert seen[name][0] == seen[name][1], name


def test_rows_that_the_ring_lost_are_the_cause_of_the_gap() -> None:
    """The gap has a number, and its cause is named."""
    with inhabited() as namespace, auditing(SMALL_RING) as audit:
        refuse(namespace, 200)
        found = verdict_when(audit, namespace.inode, lambda each: each.counted[0] == 200)
    missing = 200 - found.saw
    assert missing > 0
    assert found.gaps == (("ActiveOpens", Cause.RING_LOSS, missing),)


def test_connect_under_way_is_the_cause_of_the_gap() -> None:
    """The kernel has counted it, and no row tells of it yet; then one does."""
    with inhabited() as namespace, auditing() as audit:
        namespace.filter("tcp flags syn drop")
        with namespace.tcp() as client:
            client.setblocking(False)
            assert client.connect_ex(("127.0.0.1", 80)) == errno.EINPROGRESS
            waiting = verdict_when(audit, namespace.inode, lambda each: each.counted[0] == 1)
        ended = verdict_when(audit, namespace.inode, lambda each: each.saw == 1)
    assert waiting.gaps == (("ActiveOpens", Cause.UNDER_WAY, 1),)
    assert (ended.gaps, ended.counted) == ((), (1, 1))


def test_connect_that_was_under_way_before_is_not_of_the_window() -> None:
    """Neither counted nor seen."""
    with inhabited() as namespace, namespace.tcp() as client:
        namespace.filter("tcp flags syn drop")
        client.setblocking(False)
        assert client.connect_ex(("127.0.0.1", 80)) == errno.EINPROGRESS
        with auditing() as audit:
            client.close()
            namespace.filter("")
            refuse(namespace, 3)
            found = verdict_when(audit, namespace.inode, lambda each: each.saw == 3)
    assert numbers(found)["ActiveOpens"] == (3, 3)
    assert found.agrees


def test_deleted_namespace_is_named() -> None:
    """Its last window stays, and so many connections came after it."""
    with auditing() as audit:
        with inhabited() as namespace:
            refuse(namespace, 5)
            verdict_when(audit, namespace.inode, lambda each: each.saw == 5)
            refuse(namespace, 2)
        end = time.monotonic() + 20
        while verdicts(audit, namespace.inode)[-1].state != Cause.DELETED:
            assert time.monotonic() < end
            audit.settle()
        (found,) = verdicts(audit, namespace.inode)
    assert (found.saw, found.counted) == (5, (5, 5))
    assert found.uncompared <= 2
    assert found.state == Cause.DELETED


def test_namespace_that_nothing_leads_to_is_named() -> None:
    """Only sockets hold it: rows tell of it, and its counters can not be read."""
    with auditing() as audit, Namespace() as namespace:
        refuse(namespace, 4)
        audit.settle()
        (found,) = verdicts(audit, namespace.inode)
    assert (found.uncompared, found.state, found.comparisons) == (4, Cause.DELETED, ())


def test_retransmits_are_a_lower_bound() -> None:
    """Request sockets send SYN-ACKs again that no row has."""
    with inhabited() as namespace, auditing() as audit:
        namespace.filter("tcp flags & (syn | ack) == ack drop")
        with namespace.listener("127.0.0.1") as listener, namespace.tcp() as client:
            client.connect(listener.getsockname())
            found = verdict_when(
                audit, namespace.inode, lambda each: numbers(each)["RetransSegs"][1]
            )
    saw, counted = numbers(found)["RetransSegs"]
    assert saw < counted
    assert found.agrees


@pytest.mark.parametrize("tier", ["netlink", "procfs"])
def test_tier_without_connects_says_what_it_can_not_be_compared_on(
    tier: Literal["netlink", "procfs"],
) -> None:
    """By the names of the counters."""
    with Ladder(Config(tier=tier)) as ladder:
        audit = Audit(ladder, lambda _: None)
        audit.begin()
        audit.settle()
        report = audit.report()
    assert report.verdicts == ()
    assert report.reason.startswith(f"{tier} is told of no connects: ActiveOpens, PassiveOpens")


def test_level_is_that_of_the_kernel() -> None:
    """CurrEstab of each namespace that can be entered."""
    with inhabited() as namespace, namespace.listener("127.0.0.1") as listener:
        with connect(namespace, listener.getsockname()), listener.accept()[0]:
            assert read_established()[namespace.inode] == 2
        assert Path("/proc/self/ns/net").stat().st_ino in read_established()
