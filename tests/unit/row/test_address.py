"""Addresses and networks, with ``ipaddress`` as the judge."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.errors import UsageError
from connscope.row.address import (
    address_column,
    address_text,
    in_network,
    parse_network,
    v4_mapped,
)
from tests.unit.row.column_texts import column_texts
from tests.unit.sample_rows import packed

NETWORKS = st.builds(
    lambda address, length: IPv4Network((address, length), strict=False),
    st.integers(0, (1 << 32) - 1),
    st.integers(0, 32),
) | st.builds(
    lambda address, length: IPv6Network((address, length), strict=False),
    st.integers(0, (1 << 128) - 1),
    st.integers(0, 128),
)


def mapped(network: IPv4Network | IPv6Network) -> IPv6Network:
    """The same network in the space of IPv6."""
    if isinstance(network, IPv6Network):
        return network
    return IPv6Network(f"::ffff:{network.network_address}/{96 + network.prefixlen}")


@given(st.ip_addresses(v=4))
def test_ipv4_address_is_dotted(address):
    """A v4-mapped address is written as the IPv4 address that it is."""
    assert address_text(v4_mapped(address.packed)) == str(address)


@given(st.builds(IPv6Address, st.integers(1 << 48, (1 << 128) - 1)))
def test_ipv6_address_is_rfc5952(address):
    """Any other address is written as ipaddress writes it."""
    assert address_text(address.packed) == str(address)


@given(st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=5))
def test_column_has_the_text_of_each(addresses):
    """A column of addresses is the text of each, filled up with NUL."""
    column = address_column(np.frombuffer(b"".join(addresses), np.uint8).reshape(-1, 16))
    assert column_texts(column, len(addresses)) == [address_text(address) for address in addresses]


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.1.2.3/8", "::ffff:10.0.0.0/104"),
        ("10.1.2.3", "::ffff:10.1.2.3/128"),
        ("0.0.0.0/0", "::ffff:0:0/96"),
        ("10.0.0.0/255.0.0.0", "::ffff:10.0.0.0/104"),
        ("fd00::1/8", "fd00::/8"),
        ("::1", "::1/128"),
        ("::ffff:10.0.0.0/104", "::ffff:10.0.0.0/104"),
    ],
)
def test_network_is_read(text: str, network: str):
    """Bits of the host are dropped, IPv4 becomes v4-mapped, a bare address is a network of one."""
    assert parse_network(text) == IPv6Network(network)


@pytest.mark.parametrize(
    "text",
    ["", " ", "localhost", "10.0.0.0/33", "10.0.0", "fd00::/129", "10.0.0.1:80", "010.0.0.1"],
)
def test_what_is_no_network_is_refused(text: str):
    """The message repeats the text and shows how a network is written."""
    with pytest.raises(UsageError) as caught:
        parse_network(text)
    assert str(caught.value) == f"{text!r} is no address or network: write 10.0.0.0/8 or fd00::/8"


@given(NETWORKS)
def test_any_network_survives_reading(network):
    """What ipaddress writes is read as the same network."""
    assert parse_network(str(network)) == mapped(network)


@given(NETWORKS, st.lists(st.ip_addresses(), max_size=4), st.data())
def test_in_network_agrees_with_ipaddress(network, strangers, data):
    """The mask says of each address what ipaddress says, also of the network's own."""
    wanted = mapped(network)
    own = data.draw(st.integers(0, wanted.num_addresses - 1).map(lambda n: wanted[n]))
    addresses = [own, *(IPv6Address(packed(str(stranger))) for stranger in strangers)]
    column = np.frombuffer(b"".join(address.packed for address in addresses), np.uint8)
    found = in_network(column.reshape(-1, 16), parse_network(str(network)))
    assert found.tolist() == [address in wanted for address in addresses]


def test_no_addresses_are_in_no_network():
    """An empty column gives an empty mask."""
    assert in_network(np.zeros((0, 16), np.uint8), parse_network("::/0")).tolist() == []


def test_ipv4_network_holds_no_ipv6_address():
    """0.0.0.0/0 is all of IPv4 and nothing else."""
    column = np.frombuffer(packed("9.9.9.9") + packed("fd00::1"), np.uint8).reshape(-1, 16)
    everything = parse_network(str(ip_network("0.0.0.0/0")))
    assert in_network(column, everything).tolist() == [True, False]
