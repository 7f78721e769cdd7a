"""Addresses: 16 bytes as on the wire, and the text and networks that people write."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.errors import UsageError
from connscope.row.text_rows import TextColumn, is_constant, looked_up_column

__all__ = ("address_column", "address_text", "in_network", "parse_network", "v4_mapped")

V4_PREFIX = bytes(10) + b"\xff\xff"
V4_PREFIX_BITS = 96
V4_PREFIX_WORDS = np.frombuffer(V4_PREFIX, np.uint32)
OCTETS = np.array([f"{octet:\0<3}." for octet in range(256)], "S4").view(np.uint32)
"""The text of each byte of an IPv4 address with its dot, as one word."""

Addresses = npt.NDArray[Any]
"""Shape (n, 16), dtype uint8."""


@lru_cache(65536)
def address_text(packed: bytes) -> str:
    """``10.0.0.1`` for a v4-mapped address, RFC 5952 text for any other."""
    if packed[:12] == V4_PREFIX:
        return f"{packed[12]}.{packed[13]}.{packed[14]}.{packed[15]}"
    return str(IPv6Address(packed))


def address_column(addresses: Addresses) -> TextColumn:
    """`address_text` of each; at least one."""
    packed = np.ascontiguousarray(addresses)
    if is_constant(packed):
        return address_text(packed[0].tobytes()).encode()
    if (packed.view(np.uint32)[:, :3] == V4_PREFIX_WORDS).all():
        dotted: npt.NDArray[np.uint8] = OCTETS[packed[:, 12:]].view(np.uint8)
        return dotted[:, :-1]
    return looked_up_column(packed.view("V16")[:, 0], address_text)


def v4_mapped(packed: bytes) -> bytes:
    """The 16 bytes of a 4-byte IPv4 address (RFC 4291 2.5.5.2)."""
    return V4_PREFIX + packed


def parse_network(text: str) -> IPv6Network:
    """A network from CIDR text or a bare address; IPv4 as its v4-mapped network.

    Raises:
        UsageError: the text is no network; the message says why.
    """
    try:
        network: IPv4Network | IPv6Network = ip_network(text, strict=False)
    except ValueError as error:
        raise UsageError(
            f"{text!r} is no address or network: write 10.0.0.0/8 or fd00::/8"
        ) from error
    if isinstance(network, IPv4Network):
        packed = v4_mapped(network.network_address.packed)
        return IPv6Network((packed, V4_PREFIX_BITS + network.prefixlen))
    return network


def in_network(addresses: Addresses, network: IPv6Network) -> npt.NDArray[np.bool_]:
    """Which addresses lie in the network.

    Args:
        addresses: shape (n, 16), dtype uint8.
        network: as `parse_network` gives it.

    Returns:
        Shape (n,), dtype bool.
    """
    mask = np.frombuffer(network.netmask.packed, np.uint8)
    prefix = np.frombuffer(network.network_address.packed, np.uint8)
    matches: npt.NDArray[np.bool_] = ((addresses & mask) == prefix).all(axis=1)
    return matches
