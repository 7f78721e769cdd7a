"""Connections whose peer is cut off: which errno the application gets, and what the row says.

The peer's firewall drops or rejects each connection's segments; all of them wait at once.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from connscope.capture.btf.tier import BtfTier
from connscope.config import Config
from connscope.row.words import ClosedBy, Group, Kind
from tests.kernel.namespace import NamespacePair
from tests.kernel.recorder import Recorder

FIRST_PORT = 5200
USER_TIMEOUT_MS = 100


def keep_alive(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT):
        client.setsockopt(socket.IPPROTO_TCP, option, 1)


def send(client: socket.socket) -> None:
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
    client.send(b"x")


@dataclass(frozen=True)
class Case:
    """What the firewall does, what the client does then, and what it is told.

    Attributes:
        server_ends: the server has sent its FIN before.
    """

    rule: str
    act: Callable[[socket.socket], None]
    error: int
    server_ends: bool = False


CASES = {
    "keepalive": Case("drop", keep_alive, errno.ETIMEDOUT),
    "data": Case("drop", send, errno.ETIMEDOUT),
    "data after the peer's FIN": Case("drop", send, errno.ETIMEDOUT, server_ends=True),
    "FIN": Case("drop", socket.socket.close, errno.ETIMEDOUT),
    "FIN after the peer's FIN": Case("drop", socket.socket.close, errno.ETIMEDOUT, True),
    "net-unreachable": Case("reject with icmp type net-unreachable", send, errno.ENETUNREACH),
    "host-unreachable": Case("reject with icmp type host-unreachable", send, errno.EHOSTUNREACH),
    "port-unreachable": Case("reject with icmp type port-unreachable", send, errno.ECONNREFUSED),
    "prot-unreachable": Case("reject with icmp type prot-unreachable", send, errno.ENOPROTOOPT),
}
PORTS = {name: FIRST_PORT + place for place, name in enumerate(CASES)}


@dataclass(frozen=True)
class Outcome:
    """What the application and the row say of one case; no errno for who has closed."""

    error: int | None
    row: Any


def error_of(client: socket.socket) -> int | None:
    """The errno that ends a wait for data."""
    if client.fileno() < 0:
        return None
    while not (error := client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
        client.recv(1, socket.MSG_PEEK)
    return error


@pytest.fixture(scope="module")
def outcomes() -> Iterator[dict[str, Outcome]]:
    """All cases at the same time."""
    with NamespacePair() as pair, ExitStack() as stack:
        recorder = Recorder(stack.enter_context(BtfTier(Config())))
        pair.left.set("ipv4/tcp_orphan_retries", 1)
        pair.right.set("ipv4/icmp_ratelimit", 0)
        clients = {}
        for name, case in CASES.items():
            with pair.right.listener(pair.right_address, PORTS[name]) as listener:
                client = clients[name] = stack.enter_context(pair.left.tcp())
                client.connect(listener.getsockname())
                server = stack.enter_context(listener.accept()[0])
            if case.server_ends:
                server.shutdown(socket.SHUT_WR)
                assert client.recv(1) == b""
        pair.right.filter(
            "\n".join(f"tcp dport {PORTS[name]} {CASES[name].rule}" for name in CASES)
        )
        for name, case in CASES.items():
            case.act(clients[name])
        rows = [recorder.one(PORTS[name], Kind.CLOSED, netns=pair.left.inode) for name in CASES]
        errors = [error_of(clients[name]) for name in CASES]
        yield dict(zip(CASES, map(Outcome, errors, rows), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_the_row_has_the_errno_of_the_application(outcomes: dict[str, Outcome], name: str) -> None:
    """What ended it, as the application is told; it is told nothing once it has closed."""
    case, outcome = CASES[name], outcomes[name]

    assert outcome.error in (case.error, None)
    assert outcome.row["error"] == case.error
    assert Group.QUALITY in Group(int(outcome.row["exact"]))


@pytest.mark.parametrize("name", CASES)
def test_nobody_ended_it_but_time(outcomes: dict[str, Outcome], name: str) -> None:
    """Whatever was sent last and whichever errno came of it: timeout."""
    assert outcomes[name].row["closed_by"] == ClosedBy.TIMEOUT
