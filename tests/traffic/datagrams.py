"""UDP, connected and not."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from tests.traffic.kinds import kind
from tests.traffic.party import BLOCK, Party, loopback
from tests.traffic.report import End

SIZES = (1, 512, 1400)


@kind
def udp_connected(datagrams: int = 50, v6: int = 0) -> Iterator[End]:
    """Two UDP sockets that are connected to each other, datagrams both ways"""
    first, second = bound(v6), bound(v6)
    first.connect(second.getsockname())
    second.connect(first.getsockname())
    parties = Party(first, "client"), Party(second, "server")
    for number in range(datagrams):
        for one, other in (parties, parties[::-1]):
            one.sent += one.socket.send(BLOCK[: SIZES[number % len(SIZES)]])
            other.received += len(other.socket.recv(len(BLOCK)))
    for party in parties:
        yield party.close()


@kind
def udp_unconnected(datagrams: int = 50, v6: int = 0) -> Iterator[End]:
    """sendto() and recvfrom() on sockets that are connected to nobody, datagrams both ways"""
    first, second = bound(v6), bound(v6)
    parties = (
        Party(first, "client", second.getsockname()),
        Party(second, "server", first.getsockname()),
    )
    for number in range(datagrams):
        for one, other in (parties, parties[::-1]):
            size, address = SIZES[number % len(SIZES)], other.socket.getsockname()
            one.sent += one.socket.sendto(BLOCK[:size], address)
            other.received += len(other.socket.recvfrom(len(BLOCK))[0])
    for party in parties:
        yield party.close()


def bound(v6: int) -> socket.socket:
    """A UDP socket with a port of its own on loopback."""
    made = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((loopback(v6), 0))
    return made
