"""Conntrack's messages as the kernel would send them, made by hand."""

from __future__ import annotations

import ipaddress
import struct

from tests.unit.kernel.netlink.kernel_answers import attribute, message

__all__ = ("DELETE", "NEW", "Tuple", "counters", "flow_message", "mirrored", "tuple_attribute")

NEW, DELETE = 0x100, 0x102
NESTED = 0x8000
UDP = 17
Tuple = tuple[str, int, str, int]
"""Source and its port, target and its port."""

HERE: Tuple = ("10.0.0.1", 1000, "10.0.0.2", 53)


def mirrored(ends: Tuple) -> Tuple:
    """The tuple of the replies, where nothing is translated."""
    return (*ends[2:], *ends[:2])


def tuple_attribute(kind: int, ends: Tuple, protocol: int = UDP) -> bytes:
    """CTA_TUPLE_ORIG or CTA_TUPLE_REPLY."""
    source, source_port, target, target_port = ends
    first = 3 if ":" in source else 1
    addresses = (
        attribute(first + place, ipaddress.ip_address(text).packed)
        for place, text in enumerate((source, target))
    )
    ports = attribute(2, struct.pack(">H", source_port)) + attribute(
        3, struct.pack(">H", target_port)
    )
    what = attribute(1, bytes((protocol,))) + ports
    inside = attribute(NESTED | 1, b"".join(addresses)) + attribute(NESTED | 2, what)
    return attribute(NESTED | kind, inside)


def counters(kind: int, packets: int, size: int) -> bytes:
    """CTA_COUNTERS_ORIG, 9, or CTA_COUNTERS_REPLY, 10."""
    inside = attribute(1, struct.pack(">Q", packets)) + attribute(2, struct.pack(">Q", size))
    return attribute(NESTED | kind, inside)


def flow_message(
    *attributes: bytes,
    kind: int = NEW,
    ends: Tuple = HERE,
    replies: Tuple | None = None,
    number: int = 7,
    status: int = 8,
    protocol: int = UDP,
    sequence: int = 0,
) -> bytes:
    """One flow."""
    said = (
        tuple_attribute(1, ends, protocol),
        tuple_attribute(2, replies or mirrored(ends), protocol),
        attribute(12, struct.pack(">I", number)),
        attribute(3, struct.pack(">I", status)),
        *attributes,
    )
    family = 10 if ":" in ends[0] else 2
    return message(kind, bytes((family, 0, 0, 0)) + b"".join(said), sequence=sequence)
