"""``connscope list`` and ``trace`` with -u and -t, as people run them."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kernel.cli.test_list import ends, listed, objects, process
from tests.kernel.cli.test_trace import ended, tracing
from tests.kernel.namespace import Namespace, NamespacePair

TIERS = ("btf", "netlink", "procfs")


def datagram(address: str, family: int = socket.AF_INET, port: int = 0) -> socket.socket:
    made = socket.socket(family, socket.SOCK_DGRAM)
    made.bind((address, port))
    return made


def open_sockets() -> list[socket.socket]:
    """Bound to one address, to all, to both families, and connected ones."""
    made = [
        datagram("127.0.0.1", port=5353),
        datagram("", port=5354),
        datagram("::1", socket.AF_INET6),
        datagram("::", socket.AF_INET6),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        socket.create_server(("127.0.0.1", 0)),
    ]
    connected = datagram("127.0.0.1")
    connected.connect(made[0].getsockname())
    return [*made, connected]


@pytest.fixture(scope="module")
def place() -> Iterator[Namespace]:
    """A namespace with UDP sockets that nothing was sent on."""
    with Namespace() as made, process(b"resolver", open_sockets, made):
        yield made


def of_ss(place: Namespace, options: str) -> set[tuple[Any, ...]]:
    """Both ends and the holder of each socket."""
    found = set()
    for line in place.run(f"ss -{options}npH").splitlines():
        _, _, _, local, peer, holder = line.split(None, 5)
        pids = [int(pid) for pid in re.findall(r"pid=(\d+)", holder)]
        found.add((*ends(local.replace("*:", "[::]:")), *ends(peer)[1:], min(pids)))
    return found


def of_list(place: Namespace, *options: str) -> set[tuple[Any, ...]]:
    """The same, as connscope lists them."""
    names = ("local_address", "local_port", "peer_port")
    rows = objects("--netns", str(place.inode), *options)
    assert {each["protocol"] for each in rows} == {"udp"}
    return {(*(str(each[name]) for name in names), each["pid"]) for each in rows}


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize(("options", "more", "least"), [("ua", (), 5), ("ul", ("-l",), 4)])
def test_has_the_udp_sockets_of_ss(
    place: Namespace, tier: str, options: str, more: tuple[str, ...], least: int
) -> None:
    """All of them, and with -l those that are connected to nobody, whoever looks."""
    expected = of_ss(place, options)
    assert len(expected) >= least
    assert of_list(place, "-u", "--tier", tier, *more) == expected


def test_both_protocols(place: Namespace) -> None:
    """With -t and -u there is all that there is with each of them."""
    protocols = [each["protocol"] for each in objects("-tu", "--netns", str(place.inode))]
    assert sorted(protocols) == ["tcp", *["udp"] * 5]


def test_tcp_alone(place: Namespace) -> None:
    """With -t there is no UDP socket, also where the tier has them."""
    rows = objects("-t", "--tier", "netlink", "--netns", str(place.inode))
    assert [each["protocol"] for each in rows] == ["tcp"]


def test_listeners_say_their_protocol(place: Namespace) -> None:
    """A table of both has a column for it."""
    lines = listed("-tul", "-n", "--netns", str(place.inode)).splitlines()
    assert sorted(line.split()[0] for line in lines) == ["PROTO", "tcp", *["udp"] * 4]


def test_trace_counts_udp_flows_if_asked_to() -> None:
    """With -u, and no TCP with them."""
    with datagram("127.0.0.1") as one, datagram("127.0.0.1") as other:
        port = other.getsockname()[1]
        with tracing("-u", "-o", "json", "--count", "2", "--port", str(port)) as running:
            with socket.create_server(("127.0.0.1", port)) as server:
                socket.create_connection(server.getsockname()).close()
            one.sendto(b"x" * 30, other.getsockname())
            one.close()
            rows = [json.loads(line) for line in ended(running).splitlines()]
    assert [each["protocol"] for each in rows] == ["udp", "udp"]
    assert rows[-1]["bytes_sent"] == 30


def to_everybody() -> socket.socket:
    """Connected to the broadcast address of the network between both ends of a veth."""
    made = datagram("10.77.0.1")
    made.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    made.connect(("10.77.0.255", 7777))
    return made


@pytest.fixture(scope="module")
def caller() -> Iterator[tuple[Namespace, int]]:
    """A namespace with a network, and the process in it that calls everybody there."""
    with NamespacePair() as pair, process(b"caller", to_everybody, pair.left) as pid:
        yield pair.left, pid


@pytest.mark.parametrize("tier", TIERS)
def test_broadcast_address_of_a_network(caller: tuple[Namespace, int], tier: str) -> None:
    """It is named in tables and in JSON, whoever looks."""
    options = ("-u", "--tier", tier, "--netns", str(caller[0].inode))
    assert [each.get("cast") for each in objects(*options)] == ["broadcast"]
    assert listed(*options).splitlines()[1].startswith("udp broadcast ")


def test_trace_names_the_broadcast_address_of_a_network(caller: tuple[Namespace, int]) -> None:
    """In every row of the flow."""
    with tracing("-u", "-o", "json", "--count", "2", "--netns", str(caller[0].inode)) as running:
        with caller[0].entered(), to_everybody() as one:
            one.send(b"x" * 30)
        rows = [json.loads(line) for line in ended(running).splitlines()]
    assert [(each["kind"], each["cast"]) for each in rows] == [
        ("opened", "broadcast"),
        ("closed", "broadcast"),
    ]
