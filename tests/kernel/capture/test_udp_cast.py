"""UDP flows to a group and to everybody, over a veth: counted at each end, and named."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from connscope.row.json_lines import json_lines
from connscope.row.words import Kind
from tests.kernel.capture.test_udp_calls import closed, counters, port_of
from tests.kernel.namespace import NamespacePair
from tests.kernel.recorder import Recorder

GROUP, GROUP6 = "239.255.7.7", "ff02::7:7"
EVERYBODY, NETWORK = "255.255.255.255", "10.77.0.255"


@pytest.fixture
def pair() -> Iterator[NamespacePair]:
    """Two namespaces joined by a veth."""
    with NamespacePair() as made:
        yield made


def sender(pair: NamespacePair) -> socket.socket:
    """A socket that may send to everybody, by the veth."""
    with pair.left.entered():
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"veth0")
    made.bind((pair.left_address, 0))
    return made


def receiver(pair: NamespacePair, port: int = 0) -> socket.socket:
    """A socket at the other end that hears everything to its port."""
    with pair.right.entered():
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(
        socket.IPPROTO_IP,
        socket.IP_ADD_MEMBERSHIP,
        socket.inet_aton(GROUP) + socket.inet_aton(pair.right_address),
    )
    made.bind(("", port))
    return made


@pytest.mark.parametrize(
    ("address", "cast"), [(GROUP, "multicast"), (EVERYBODY, "broadcast"), (NETWORK, None)]
)
def test_one_datagram_is_counted_by_its_sender_and_by_each_that_hears(
    pair: NamespacePair, udp: Recorder, address: str, cast: str | None
) -> None:
    """The sender's peer is the group, and the word says so; who hears has the sender as peer."""
    one, first = sender(pair), receiver(pair)
    second = receiver(pair, port_of(first))
    for _ in range(3):
        one.sendto(b"x" * 9, (address, port_of(first)))
    own = port_of(one)
    for each in (first, second):
        each.settimeout(5)
        assert [each.recvfrom(99)[1] for _ in range(3)] == [(pair.left_address, own)] * 3
    row = closed(udp, one, peer_port=port_of(first))
    port = port_of(first)
    first.close()
    second.close()
    heard = udp.until(lambda rows: len(of_receivers(rows, port)) == 2)
    assert counters(row) == (27, 3, 0, 0)
    assert [counters(each) for each in of_receivers(heard, port)] == [(0, 0, 27, 3)] * 2
    assert json.loads(json_lines(row[None], 0)).get("cast") == cast


def of_receivers(rows, port: int):
    """The closed rows of the sockets with that port of their own."""
    return rows[(rows["kind"] == Kind.CLOSED) & (rows["local_port"] == port)]


def test_v6_group(pair: NamespacePair, udp: Recorder) -> None:
    """ff02::/16 needs an interface, and is a group all the same."""
    with pair.left.entered():
        one = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        one.bind(("::", 0))
        one.sendto(b"12345", (GROUP6, 7777, 0, socket.if_nametoindex("veth0")))
    row = closed(udp, one)
    assert counters(row) == (5, 1, 0, 0)
    assert json.loads(json_lines(row[None], 0))["cast"] == "multicast"
