"""A loopback device that holds packets back, so that they cross on the wire."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from tests.traffic.namespace import run

__all__ = ("slow_loopback",)

BYTES_A_SECOND = 10_000
BURST_BYTES = 1_600
MTU_BYTES = 1_500  # no packet may be larger than the burst


@contextmanager
def slow_loopback() -> Iterator[None]:
    """In a namespace of one's own: what is sent inside waits for some 100 ms, in order.

    A datagram uses up what may go at once. At the end nothing is held back any more.
    """
    run(f"ip link set lo mtu {MTU_BYTES}")
    run(
        f"tc qdisc add dev lo root tbf rate {BYTES_A_SECOND * 8}bit burst {BURST_BYTES} latency 60s"
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as filler:
        filler.bind(("127.0.0.1", 0))
        for _ in range(2):
            filler.sendto(bytes(BURST_BYTES - 200), filler.getsockname())
        yield
    run("tc qdisc change dev lo root tbf rate 10gbit burst 1mb latency 60s")
