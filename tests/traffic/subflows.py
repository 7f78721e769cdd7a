"""MPTCP: one connection of the application over several of TCP."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.traffic.kinds import kind
from tests.traffic.namespace import Namespace, run
from tests.traffic.party import PATIENCE_S, Party, connect, listen, loopback, new_socket
from tests.traffic.report import End

SOL_MPTCP, MPTCP_INFO = 284, 1
SECOND_ADDRESS = "127.0.0.2"
PIECE_BYTES = 100_000


@kind
def mptcp(v6: int = 0) -> Iterator[End]:
    """MPTCP with one subflow"""
    with Namespace():
        client, server = connect(loopback(v6), socket.IPPROTO_MPTCP)
        client.send(123_457)
        server.receive(123_457)
        server.send(34_567)
        client.receive(34_567)
        yield client.close()
        server.receive_rest()
        yield server.close()


@kind
def mptcp_subflows(size: int = 3_000_000) -> Iterator[End]:
    """MPTCP with two subflows, between two addresses of the loopback device"""
    with two_subflows() as (client, server):
        yield from one_way(client, server, size)


@kind
def mptcp_join_refused(size: int = 3_000_000) -> Iterator[End]:
    """A second subflow is refused: what is under way is sent once more over the first"""
    with two_addresses():
        client, server = connect("127.0.0.1", socket.IPPROTO_MPTCP)
        yield from one_way(client, server, size)


def one_way(client: Party, server: Party, size: int) -> Iterator[End]:
    """Many pieces there, a few bytes back, and both close."""
    for _ in range(size // PIECE_BYTES):
        client.send(PIECE_BYTES)
        server.receive(PIECE_BYTES)
    server.send(777)
    client.receive(777)
    yield client.close()
    server.receive_rest()
    yield server.close()


@contextmanager
def two_addresses() -> Iterator[None]:
    """A namespace whose MPTCP connections join from a second address of the loopback device."""
    with Namespace():
        run("ip mptcp limits set subflow 2 add_addr_accepted 2")
        run(f"ip addr add {SECOND_ADDRESS}/8 dev lo")
        run(f"ip mptcp endpoint add {SECOND_ADDRESS} dev lo subflow")
        yield


@contextmanager
def two_subflows() -> Iterator[tuple[Party, Party]]:
    """Both parties of an MPTCP connection that has its second subflow already."""
    with two_addresses(), listen("127.0.0.1", protocol=socket.IPPROTO_MPTCP) as listener:
        made = new_socket(socket.AF_INET, socket.IPPROTO_MPTCP)
        made.connect(listener.getsockname())
        client, server = Party(made, "client"), Party(listener.accept()[0], "server")
        client.send(10)  # joins come after the first acknowledged bytes
        server.receive(10)
        server.send(20)
        client.receive(20)
        wait_for_subflows(client, 2)
        wait_for_subflows(server, 2)
        yield client, server


def wait_for_subflows(party: Party, count: int) -> None:
    """Waits until the connection has so many; the first one is not in the kernel's number."""
    end = time.monotonic() + PATIENCE_S
    while party.socket.getsockopt(SOL_MPTCP, MPTCP_INFO, 1)[0] + 1 != count:
        assert time.monotonic() < end, f"never were {count} subflows"
