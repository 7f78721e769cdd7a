"""Connections whose process and whose network namespace part."""

from __future__ import annotations

from collections.abc import Iterator

from tests.traffic.kinds import kind
from tests.traffic.namespace import Namespace
from tests.traffic.party import connect
from tests.traffic.report import End


@kind
def moved_namespace() -> Iterator[End]:
    """A process moves to another namespace and goes on using its old connection"""
    with Namespace():
        old = connect()
        old[0].send(1_000)
        with Namespace():
            new = connect()
            for client, server in (old, new):
                client.send(2_000)
                server.receive(client.sent)
                yield client.close()
                yield server.close()


@kind
def deleted_namespace() -> Iterator[End]:
    """Nobody is left in the namespace and nothing names it; its connection goes on"""
    namespace = Namespace()
    with namespace:
        client, server = connect()
    namespace.close()
    client.send(3_000)
    server.receive(3_000)
    server.send(4_000)
    client.receive(4_000)
    yield client.close()
    yield server.close()
