"""Flows and routes as conntrack and the routing table would tell them."""

from __future__ import annotations

from ipaddress import ip_address

import numpy as np

from connscope.kernel.netlink.conntrack_messages import Flows, parse_flows
from connscope.kernel.netlink.messages import find_messages
from connscope.kernel.netlink.route_socket import BROADCAST, LOCAL, ROUTE, Routes
from connscope.row.address import v4_mapped
from tests.unit.kernel.netlink.conntrack_answers import DELETE, NEW
from tests.unit.kernel.netlink.kernel_answers import words

__all__ = ("OWN", "flows", "packed", "routes")


def packed(text: str) -> bytes:
    """The 16 bytes of an address."""
    address = ip_address(text).packed
    return v4_mapped(address) if len(address) == 4 else address


def routes(*networks: str, kind: int = LOCAL) -> Routes:
    """A route to each: ``10.0.0.1/32``."""
    found = np.zeros(len(networks), ROUTE)
    for route, network in zip(found, networks, strict=True):
        text, _, bits = network.partition("/")
        route["address"] = np.frombuffer(packed(text), np.uint8)
        route["bits"] = int(bits) + (0 if ":" in text else 96)
    found["kind"] = kind
    return found


OWN = np.concatenate(
    (
        routes("127.0.0.0/8", "10.0.0.1/32", "fd00::1/128"),
        routes("10.0.0.255/32", kind=BROADCAST),
    )
)
"""Of a machine that is 10.0.0.1 and fd00::1."""


def flows(*messages: bytes) -> Flows:
    """What these messages say."""
    return parse_flows(find_messages(words(*messages), kind=(NEW, DELETE)))
