"""Connections whose ends do not agree on their addresses: nftables translates on the way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tests.traffic.kinds import kind
from tests.traffic.namespace import Namespace, nft, run, sysctl
from tests.traffic.network import connect_between, wire
from tests.traffic.party import Party
from tests.traffic.report import End

PORT = 8080


class Street(NamedTuple):
    """A client and a server with a router between them, and their addresses."""

    client: Namespace
    router: Namespace
    server: Namespace
    client_address: str
    router_address: str
    server_address: str


@contextmanager
def street() -> Iterator[Street]:
    """The three hosts; the router forwards."""
    client, router, server = (Namespace() for _ in range(3))
    router_near, client_address = wire(router, client, 1)
    router_far, server_address = wire(router, server, 2)
    for host, gateway in ((client, router_near), (server, router_far)):
        with host:
            run(f"ip route add default via {gateway}")
    with router:
        sysctl("net/ipv4/ip_forward", "1")
    yield Street(client, router, server, client_address, router_near, server_address)
    for host in (client, router, server):
        host.close()


def talk(client: Party, server: Party) -> Iterator[End]:
    """Some bytes each way, and both close."""
    client.send(12_345)
    server.receive(12_345)
    server.send(54_321)
    client.receive(54_321)
    yield client.close()
    server.receive_rest()
    yield server.close()


@kind
def snat() -> Iterator[End]:
    """Source NAT: the server sees the router's address for the client's"""
    with street() as hosts:
        with hosts.router:
            nft("nat", "postrouting", "masquerade")
        yield from talk(*connect_between(hosts.client, hosts.server, hosts.server_address))


@kind
def dnat() -> Iterator[End]:
    """Destination NAT: the client dials the router and reaches the server"""
    with street() as hosts:
        with hosts.router:
            nft("nat", "prerouting", f"tcp dport {PORT} dnat to {hosts.server_address}")
        dialled = (hosts.router_address, PORT)
        yield from talk(*connect_between(hosts.client, hosts.server, hosts.server_address, dialled))


@kind
def redirect() -> Iterator[End]:
    """Redirect: the client dials the server, and a proxy on the router answers"""
    with street() as hosts:
        with hosts.router:
            nft("nat", "prerouting", f"tcp dport {PORT} redirect")
        dialled = (hosts.server_address, PORT)
        yield from talk(*connect_between(hosts.client, hosts.router, hosts.router_address, dialled))


@kind
def hairpin() -> Iterator[End]:
    """Hairpin: the client dials the router and is sent back to its own host"""
    with street() as hosts:
        with hosts.router:
            nft("nat", "prerouting", f"tcp dport {PORT} dnat to {hosts.client_address}")
            nft("nat", "postrouting", "masquerade")
        dialled = (hosts.router_address, PORT)
        yield from talk(*connect_between(hosts.client, hosts.client, hosts.client_address, dialled))
