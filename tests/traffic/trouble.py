"""Networks and servers that drop what they are sent."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from tests.traffic.kinds import kind
from tests.traffic.namespace import Namespace, nft
from tests.traffic.network import connect_between, wire
from tests.traffic.party import Party, connected, listen, new_socket
from tests.traffic.report import End

CHUNK_BYTES = 100_000


@kind
def loss(size: int = 1_000_000, one_in: int = 20) -> Iterator[End]:
    """Every twentieth packet with data is lost: retransmits"""
    with lossy(one_in) as (client, server):
        yield from lose(client, server, size)


@contextmanager
def lossy(one_in: int = 20) -> Iterator[tuple[Party, Party]]:
    """Both parties of a connection that loses packets on their way to the server."""
    client_host, server_host = Namespace(), Namespace()
    _, address = wire(client_host, server_host, 1)
    parties = connect_between(client_host, server_host, address)
    with server_host:
        nft("filter", "input", f"meta length > 200 numgen inc mod {one_in} == 2 drop")
    yield parties
    client_host.close()
    server_host.close()


def lose(client: Party, server: Party, size: int) -> Iterator[End]:
    """Much one way, a little back, and both close."""
    while client.sent < size:
        client.send(min(CHUNK_BYTES, size - client.sent))
        server.receive(client.sent - server.received)
    server.send(1_000)
    client.receive(1_000)
    yield client.close()
    server.receive_rest()
    yield server.close()


@kind
def syn_dropped(syns: int = 2) -> Iterator[End]:
    """A firewall drops every SYN: the connect times out after so many"""
    with Namespace():
        nft("filter", "input", "tcp flags syn drop")
        client = new_socket(socket.AF_INET)
        client.bind(("127.0.0.1", 0))
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, max(syns - 1, 1))
        nobody = ("127.0.0.1", 4711)
        party = Party(client, "client", nobody)
        assert client.connect_ex(nobody) == errno.ETIMEDOUT
        yield party.end("timeout")
        client.close()


@kind
def accept_queue_overflow(backlog: int = 1, connections: int = 6) -> Iterator[End]:
    """More connect than the queue of a server holds that does not accept; the rest give up"""
    with listen("127.0.0.1") as listener:
        listener.listen(backlog)
        address = listener.getsockname()
        clients = [new_socket(socket.AF_INET) for _ in range(connections)]
        for client in clients:
            client.bind(("127.0.0.1", 0))
            client.setblocking(False)
            assert client.connect_ex(address) == errno.EINPROGRESS
        parties = [Party(client, "client", address) for client in clients]
        queued, turned_away = parties[: backlog + 1], parties[backlog + 1 :]
        for party in queued:
            assert connected(party.socket) == 0
        for party in turned_away:
            yield party.end("abandoned")
            party.socket.close()
        for party in queued:
            party.send(10)
            server = Party(listener.accept()[0], "server")
            server.receive(10)
            yield party.close()
            server.receive_rest()
            yield server.close()
