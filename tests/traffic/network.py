"""Hosts with wires between them: network namespaces and veth pairs."""

from __future__ import annotations

import socket

from tests.traffic.namespace import Namespace, run
from tests.traffic.party import Party, listen, new_socket

__all__ = ("accept_in", "connect_between", "wire")


def wire(one: Namespace, other: Namespace, net: int) -> tuple[str, str]:
    """Joins two hosts; returns the address of each, ``10.99.NET.1`` and ``.2``."""
    name, addresses = f"wire{net}", (f"10.99.{net}.1", f"10.99.{net}.2")
    with one:
        run(f"ip link add {name} type veth peer name {name} netns {other.path}")
    for host, address in zip((one, other), addresses, strict=True):
        with host:
            run(f"ip addr add {address}/24 dev {name}")
            run(f"ip link set {name} up")
    return addresses


def connect_between(
    client: Namespace, server: Namespace, host: str, dialled: tuple[str, int] | None = None
) -> tuple[Party, Party]:
    """Both parties of a connection between two hosts: client, server.

    Args:
        client: where the client is.
        server: where the server listens, on `host`.
        host: the server's address.
        dialled: what the client connects to if that is not where the server listens.
    """
    with server:
        listener = listen(host, dialled[1] if dialled else 0)
    with listener, client:
        return accept_in(listener, dialled)


def accept_in(
    listener: socket.socket, dialled: tuple[str, int] | None = None
) -> tuple[Party, Party]:
    """Both parties of a connection of this thread's namespace to a listener of any."""
    made = new_socket(listener.family)
    made.connect(dialled or listener.getsockname())
    return Party(made, "client"), Party(listener.accept()[0], "server")
