"""Which messages of conntrack the kernel drops for us, at a socket that everybody may have."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from connscope.kernel.netlink.conntrack_socket import take_udp_only
from tests.unit.kernel.netlink.conntrack_answers import NEW, counters, flow_message
from tests.unit.kernel.netlink.kernel_answers import attribute, message

V6 = ("fd00::1", 4000, "fd00::2", 5353)
TCP = 6
END = b"end"
PATIENCE_S = 20


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Datagrams from the one to the other; only UDP gets there."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with one, other:
        take_udp_only(other)
        other.settimeout(PATIENCE_S)
        yield one, other


def passes(pair: tuple[socket.socket, socket.socket], datagram: bytes) -> bool:
    """Whether it comes out at the other end, before what is sent behind it."""
    one, other = pair
    one.send(datagram)
    one.send(END)
    came = other.recv(4096)
    if came == END:
        return False
    assert (came, other.recv(4096)) == (datagram, END)
    return True


@pytest.mark.parametrize("ends", [("10.0.0.1", 1, "10.0.0.2", 2), V6], ids=["ipv4", "ipv6"])
def test_udp_alone_gets_through(pair: tuple[socket.socket, socket.socket], ends) -> None:
    """Whatever else is said of it."""
    assert passes(pair, flow_message(counters(9, 1, 2), ends=ends))
    assert not passes(pair, flow_message(counters(9, 1, 2), ends=ends, protocol=TCP))
    assert not passes(pair, flow_message(ends=ends, protocol=132))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        attribute(99, b"12345678"),
        attribute(1, b""),
        attribute(1, attribute(1, b"12345678")),
        attribute(1, attribute(2, b"")),
        attribute(1, attribute(2, attribute(2, b"12"))),
    ],
    ids=["nothing", "another", "empty tuple", "no protocol", "empty protocol", "no number"],
)
def test_what_makes_no_sense_gets_through(
    pair: tuple[socket.socket, socket.socket], content: bytes
) -> None:
    """A kernel that says it otherwise is not taken for one that says nothing."""
    assert passes(pair, message(NEW, bytes((2, 0, 0, 0)) + content))
