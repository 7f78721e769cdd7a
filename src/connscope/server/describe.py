"""The names of nodes: ids that stay, labels for people, and back from an id to the node."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Network, ip_address
from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.errors import UsageError
from connscope.row.address import V4_PREFIX_BITS, address_text, parse_network
from connscope.row.columns import NO_UID
from connscope.row.outside_text import printable
from connscope.row.words import Protocol, word
from connscope.server.host import Host
from connscope.server.hosts import Hosts
from connscope.server.node_keys import GROUPS, NO_HOST, NODE, Kind, Nodes

__all__ = ("Described", "describe", "parse_node")

OUTSIDE = "outside"
UNATTRIBUTED = "unattributed"


@dataclass(frozen=True, slots=True)
class Described:
    """A node in words; see docs/api.md."""

    id: str
    kind: str
    label: str
    detail: str
    host: str
    box: str
    outside: bool


def describe(nodes: Nodes, ours: npt.NDArray[np.bool_], hosts: Hosts) -> list[Described]:
    """The words of each node.

    Args:
        nodes: shape (n,), `NODE`.
        ours: an agent runs there; asked of addresses and networks.
        hosts: whose nodes they are.
    """
    return [
        _described(node, is_ours, hosts) for node, is_ours in zip(nodes, ours.tolist(), strict=True)
    ]


def _described(node: Any, is_ours: bool, hosts: Hosts) -> Described:
    kind = Kind(int(node["kind"]))
    if kind is Kind.PORT:
        protocol, port = divmod(int(node["number"]), 1 << 16)
        text = f"{word(Protocol(protocol))}/{port}"
        return Described(f"port:{text}", "port", text, "server port", "", "ports", False)
    host = hosts.numbered(int(node["host"])) if node["host"] != NO_HOST else None
    label = hosts.label(host) if host else ""
    if kind in (Kind.ADDRESS, Kind.CIDR):
        text = _address(node, kind)
        name = f"{kind.name.lower()}:{text}{f'@{host.id}' if host else ''}"
        outside = host is None and not is_ours
        box = label or (OUTSIDE if outside else "addresses")
        return Described(name, kind.name.lower(), text, "", label, box, outside)
    if host is None:
        raise UsageError("a node of a host that is not known")
    rest, text, detail = _of_host(node, kind, host)
    name = f"{kind.name.lower()}:{host.id}{rest}"
    return Described(name, kind.name.lower(), text or label, detail, label, label, False)


def _of_host(node: Any, kind: Kind, host: Host) -> tuple[str, str, str]:
    """What the id has after the host, the label, and the second line."""
    number = int(node["number"])
    if kind is Kind.PROCESS:
        start = int(node["start"])
        comm = printable(node["comm"].tobytes())
        names = host.view.names.get((number, start), {})
        more = next((names[what] for what in ("container", "unit") if what in names), "")
        detail = f"pid {number}{f' · {more}' if more else ''}" if number else "no owner known"
        return f"/{host.boot_id}/{number}/{start}", comm or UNATTRIBUTED, detail
    if kind is Kind.EXECUTABLE:
        comm = printable(node["bytes"].tobytes())
        return f"/{comm}", comm or UNATTRIBUTED, "all processes of this name"
    if kind is Kind.USER:
        known = number != NO_UID
        return f"/{number}", f"user {number}" if known else UNATTRIBUTED, f"uid {number}"
    if kind is Kind.NAMESPACE:
        return f"/{number}", f"namespace {number}", "network namespace"
    return "", "", "host"


def _address(node: Any, kind: Kind) -> str:
    packed = node["bytes"].tobytes()
    if kind is Kind.ADDRESS:
        return address_text(packed)
    return f"{address_text(packed)}/{24 if node['number'] else 64}"


def parse_node(text: str, hosts: Hosts) -> Nodes:
    """The node that an id stands for, shape (1,).

    Raises:
        UsageError: it is no id of a node, or of a host that is not known.
    """
    name, _, rest = text.partition(":")
    node = np.zeros(1, NODE)
    try:
        kind = GROUPS[name]
        node["kind"], node["host"] = kind, NO_HOST
        if kind is Kind.PORT:
            protocol, _, port = rest.partition("/")
            node["number"] = _protocol(protocol) << 16 | int(port)
        elif kind in (Kind.ADDRESS, Kind.CIDR):
            _parse_address(node, kind, rest, hosts)
        else:
            _parse_of_host(node, kind, rest, hosts)
    except (KeyError, ValueError, OverflowError, UsageError) as error:
        raise UsageError(f"{text!r} is no id of a node: take one from the topology") from error
    return node


def _protocol(text: str) -> int:
    return next((each.value for each in Protocol if word(each) == text), None) or int(text)


def _parse_address(node: Nodes, kind: Kind, text: str, hosts: Hosts) -> None:
    text, _, host_id = text.partition("@")
    if host_id:
        node["host"] = hosts.find(host_id).number
    if kind is Kind.CIDR:
        network = parse_network(text)
        node["number"] = network.prefixlen > 64 and network.subnet_of(V4_SPACE)
        packed = network.network_address.packed
    else:
        address = ip_address(text)
        packed = address.packed if address.version == 6 else V4_PREFIX + address.packed
    node["bytes"] = np.frombuffer(packed, np.uint8)


V4_PREFIX = bytes(10) + b"\xff\xff"
V4_SPACE = IPv6Network((V4_PREFIX + bytes(4), V4_PREFIX_BITS))


def _parse_of_host(node: Nodes, kind: Kind, text: str, hosts: Hosts) -> None:
    host_id, _, rest = text.partition("/")
    node["host"] = hosts.find(host_id).number
    if kind is Kind.PROCESS:
        _, pid, start = rest.split("/")
        node["number"], node["start"] = int(pid), int(start)
    elif kind is Kind.EXECUTABLE:
        packed = _unprintable(rest)[:16].ljust(16, b"\0")
        node["bytes"] = np.frombuffer(packed, np.uint8)
    elif kind is not Kind.HOST:
        node["number"] = int(rest)


def _unprintable(text: str) -> bytes:
    r"""The bytes of a name whose odd ones are written as ``\xNN``."""
    packed, rest = bytearray(), text
    while rest:
        if rest.startswith("\\x") and len(rest) >= 4:
            packed.append(int(rest[2:4], 16))
            rest = rest[4:]
        else:
            packed += rest[0].encode()
            rest = rest[1:]
    return bytes(packed)
