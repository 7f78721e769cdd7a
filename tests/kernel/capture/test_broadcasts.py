"""The broadcast addresses of a network namespace, as its kernel routes them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from connscope.capture.broadcasts import read_namespace
from tests.kernel.namespace import Namespace

LOOPBACK = "127.255.255.255"


@pytest.fixture
def place() -> Iterator[Namespace]:
    """A namespace with an interface that has no address yet."""
    with Namespace() as made:
        made.run("ip link add veth0 type veth peer name veth1")
        made.run("ip link set veth0 up")
        yield made


def read(place: Namespace) -> set[str]:
    """In words; from outside of it."""
    found = read_namespace(place.inode, Path(f"/proc/{os.getpid()}/fd/{place.fd}"))
    assert found is not None
    return {str(IPv4Address(int(address))) for address in found}


@pytest.mark.parametrize(
    ("address", "broadcasts"),
    [
        ("10.1.2.3/24", {"10.1.2.255"}),
        ("10.1.2.3/20", {"10.1.15.255"}),
        ("10.1.2.3/16 brd 10.1.7.7", {"10.1.7.7", "10.1.255.255"}),
        ("10.1.2.3/31", set()),
        ("10.1.2.3/32", set()),
        ("fd00::1/64", set()),
    ],
)
def test_addresses(place: Namespace, address: str, broadcasts: set[str]) -> None:
    """Also of an address that was given without one; kernels before 5.14 have the first one too."""
    place.run(f"ip addr add {address} dev veth0")
    assert read(place) >= broadcasts | {LOOPBACK}
    assert {each for each in read(place) if not each.endswith(".0")} == broadcasts | {LOOPBACK}


def test_interface_that_is_down(place: Namespace) -> None:
    """Nothing is sent there."""
    place.run("ip addr add 10.1.2.3/24 dev veth0")
    place.run("ip link set veth0 down")
    assert read(place) == {LOOPBACK}


def test_namespace_without_any_address(place: Namespace) -> None:
    """It has no table to ask for."""
    place.run("ip link set lo down")
    assert read(place) == set()


def test_other_namespace_than_was_meant(place: Namespace) -> None:
    """The process has ended or moved since somebody saw it there."""
    own = Path("/proc/self/ns/net")
    assert read_namespace(place.inode, own) is None
    assert read_namespace(own.stat().st_ino, own) is not None
    assert read_namespace(place.inode, Path("/proc/1/ns/nowhere")) is None
