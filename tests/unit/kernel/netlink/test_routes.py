"""Broadcast addresses, read out of routes as the kernel would tell them."""

from __future__ import annotations

import errno
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.kernel.netlink.routes import parse_broadcast_routes
from tests.unit.kernel.netlink.kernel_answers import ERROR, attribute, done, message

NEWROUTE = 24
UNICAST, LOCAL, BROADCAST = 1, 2, 3
TABLE, DESTINATION, SOURCE, INTERFACE = 15, 1, 7, 4
NETWORK = 0x0A0102FF


def route(
    kind: int = BROADCAST, bits: int = 32, address: int = NETWORK, family: int = socket.AF_INET
) -> bytes:
    """One as 6.18 tells it."""
    head = struct.pack("=BBBBBBBBI", family, bits, 0, 0, 255, 2, 253, kind, 0)
    parts = (
        attribute(TABLE, struct.pack("=I", 255)),
        attribute(DESTINATION, address.to_bytes(4, "big")),
        attribute(SOURCE, bytes((10, 1, 2, 3))),
        attribute(INTERFACE, struct.pack("=I", 3)),
    )
    return message(NEWROUTE, head + b"".join(parts))


def test_each_route_has_its_address():
    """In the order in which they come."""
    datagram = route() + route(address=0x7FFFFFFF)
    assert parse_broadcast_routes(datagram) == ([NETWORK, 0x7FFFFFFF], False)


def test_end_of_the_dump():
    """Alone, or behind the last routes."""
    assert parse_broadcast_routes(done()) == ([], True)
    assert parse_broadcast_routes(route() + done()) == ([NETWORK], True)


@pytest.mark.parametrize(
    "other",
    [
        route(kind=UNICAST, bits=24, address=0x0A010200),
        route(kind=LOCAL),
        route(family=socket.AF_INET6),
        route(bits=24),
        message(20, bytes(72)),
    ],
)
def test_what_is_no_broadcast_route(other: bytes):
    """A kernel that does not choose sends all of its routes."""
    assert parse_broadcast_routes(other + route(address=5)) == ([5], False)


@pytest.mark.parametrize("kind", [ERROR, 3])
def test_refusal(kind: int):
    """With the kernel's errno."""
    with pytest.raises(PermissionError):
        parse_broadcast_routes(message(kind, struct.pack("=i", -errno.EPERM)))


def test_no_table_is_no_refusal():
    """A namespace in which no interface ever had an address."""
    assert parse_broadcast_routes(done(-errno.ENOENT)) == ([], True)


@given(st.binary(max_size=200), st.integers(0, 200))
def test_anything_at_all(rubbish: bytes, cut: int):
    """Rubbish, and routes that are cut off, end with a refusal or with what could be read."""
    for datagram in (rubbish, (route() + route())[:cut], route()[:16] + rubbish):
        try:
            found, _ = parse_broadcast_routes(datagram)
        except OSError:
            continue
        assert all(0 <= address <= 0xFFFFFFFF for address in found)
