"""UDP flows and sockets of a group or of everybody, over a veth: counted at each end, and named."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from connscope.capture.ladder import Ladder
from connscope.config import load_config
from connscope.row.json_lines import json_lines
from connscope.row.words import Kind, Tier, word
from tests.kernel.capture.test_udp_calls import closed, counters, port_of
from tests.kernel.namespace import NamespacePair
from tests.kernel.recorder import Recorder, pick
from tests.kernel.residents import LIVE_THERE
from tests.kernel.tiers_here import TIERS_HERE

GROUP, GROUP6 = "239.255.7.7", "ff02::7:7"
EVERYBODY, NETWORK = "255.255.255.255", "10.77.0.255"
LOOKING = [tier for tier in TIERS_HERE if tier != Tier.BTF]


@pytest.fixture
def pair() -> Iterator[NamespacePair]:
    """Two namespaces joined by a veth, with a process in each."""
    with ExitStack() as stack:
        made = stack.enter_context(NamespacePair())
        for namespace in (made.left, made.right):
            with namespace.entered():
                resident = stack.enter_context(subprocess.Popen(LIVE_THERE))
            stack.callback(resident.kill)
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
    ("address", "cast"),
    [(GROUP, "multicast"), (EVERYBODY, "broadcast"), (NETWORK, "broadcast")],
)
def test_one_datagram_is_counted_by_its_sender_and_by_each_that_hears(
    pair: NamespacePair, udp: Recorder, address: str, cast: str
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
    assert cast_of(row) == cast
    assert {cast_of(each) for each in of_receivers(heard, port)} == {None}


def cast_of(row) -> str | None:
    """What JSON has."""
    found: str | None = json.loads(json_lines(row[None], 0)).get("cast")
    return found


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
    assert cast_of(row) == "multicast"


def test_broadcast_address_of_one_network_is_a_machine_in_another(
    pair: NamespacePair, udp: Recorder
) -> None:
    """Where the network is larger nobody says broadcast; nor of half a network."""
    pair.right.run("ip addr replace 10.77.0.2/16 dev veth0")
    pair.right.run("ip addr del 10.77.0.2/24 dev veth0")
    with pair.right.entered():
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind((pair.right_address, 0))
    one.sendto(b"x", (NETWORK, 7777))
    other = sender(pair)
    other.sendto(b"x", ("10.77.0.127", 7777))
    assert [cast_of(closed(udp, each)) for each in (one, other)] == [None, None]


CALLER = """
import socket, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    one.bind(("10.77.0.1", 0))
    for _ in sys.stdin:
        one.sendto(b"x", ("10.78.0.255", 7777))
        print(one.getsockname()[1], flush=True)
"""


def test_network_that_comes_later(pair: NamespacePair, udp: Recorder) -> None:
    """A flow goes on, and is named once its address has become one of everybody."""
    pair.left.run("ip route add 10.78.0.0/16 dev veth0")
    with ExitStack() as stack:
        with pair.left.entered():
            command, pipe = [sys.executable, "-c", CALLER], subprocess.PIPE
            caller = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        stack.enter_context(caller)

        def call() -> int:
            assert caller.stdin
            assert caller.stdout
            print(file=caller.stdin, flush=True)
            return int(caller.stdout.readline())

        def shown(_: object) -> list[str | None]:
            own = call()  # or the flow would be idle one day
            return [cast_of(row) for row in pick(udp.tier.look(), own, Kind.SNAPSHOT)]

        own = call()
        assert cast_of(udp.one(own, Kind.OPENED, local_port=own)) is None
        pair.left.run("ip addr add 10.78.0.1/24 dev veth0")
        udp.until(lambda rows: shown(rows) == ["broadcast"])
    assert cast_of(udp.one(own, Kind.CLOSED, local_port=own)) == "broadcast"


@pytest.mark.parametrize("tier", LOOKING, ids=word)
def test_sockets_in_looks(pair: NamespacePair, tier: Tier) -> None:
    """Connected to everybody on the network, bound to that address, and neither."""
    one, other, third = sender(pair), sender(pair), receiver(pair)
    one.connect((NETWORK, 7777))
    other.connect((pair.right_address, 7777))
    with pair.right.entered():
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind((NETWORK, 0))
    with Ladder(load_config(tier=word(tier))) as ladder:
        rows = ladder.look()
    found = [
        cast_of(*pick(rows, port_of(each), Kind.SNAPSHOT, local_port=port_of(each)))
        for each in (one, bound, other, third)
    ]
    for each in (one, bound, other, third):
        each.close()
    assert found == ["broadcast", "broadcast", None, None]
