"""Which addresses are a namespace's own, against the standard library's networks."""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.capture.conntrack.addresses import OwnAddresses
from connscope.kernel.netlink.route_socket import LOCAL, ROUTE
from tests.unit.capture.conntrack.flows import OWN, packed, routes


def addresses(*texts: str):
    """As columns."""
    return np.frombuffer(b"".join(map(packed, texts)), np.uint8).reshape(-1, 16)


def test_local_networks_and_nothing_else():
    """All of 127.0.0.0/8; of others one address; a broadcast address is nobody's."""
    own = OwnAddresses(OWN)
    asked = addresses("127.3.2.1", "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2", "10.0.0.255")
    assert own.has(asked).tolist() == [True, True, False, True, False, False]


def test_groups_are_heard():
    """Multicast, everybody, and the broadcast address of a network of its own."""
    own = OwnAddresses(OWN)
    asked = addresses("224.0.0.251", "239.1.1.1", "240.0.0.1", "ff02::fb", "fe80::1")
    assert own.hears(asked).tolist() == [True, True, False, True, False]
    asked = addresses("255.255.255.255", "10.0.0.255", "10.0.1.255")
    assert own.hears(asked).tolist() == [True, True, False]


def test_nothing_is_own_without_routes():
    """A namespace whose loopback is down."""
    assert not OwnAddresses(np.empty(0, ROUTE)).has(addresses("127.0.0.1", "::1")).any()


@pytest.mark.parametrize("text", ["0.0.0.0/0", "::/0"])
def test_everything_may_be_own(text: str):
    """A route that takes all, as transparent proxies have."""
    asked = addresses("192.0.2.1", "2001:db8::1")
    own = OwnAddresses(routes(text, kind=LOCAL))
    assert own.has(asked).tolist() == [True, text == "::/0"]


HALVES = st.sampled_from([0, 1, 1 << 63, (1 << 64) - 1, 0xFE80 << 48])
NUMBERS = st.builds(lambda high, low: high << 64 | low, HALVES, HALVES)


@given(st.lists(st.tuples(NUMBERS, st.integers(0, 128)), max_size=6), st.lists(NUMBERS))
def test_prefixes_are_networks(networks: list[tuple[int, int]], asked: list[int]):
    """Any networks, any addresses."""
    found = np.zeros(len(networks), ROUTE)
    for route, (number, bits) in zip(found, networks, strict=True):
        route["address"] = np.frombuffer(number.to_bytes(16, "big"), np.uint8)
        route["bits"], route["kind"] = bits, LOCAL
    wanted = [
        any(
            IPv6Address(one) in IPv6Network((number, bits), strict=False)
            for number, bits in networks
        )
        for one in asked
    ]
    columns = np.frombuffer(b"".join(one.to_bytes(16, "big") for one in asked), np.uint8)
    assert OwnAddresses(found).has(columns.reshape(-1, 16)).tolist() == wanted
