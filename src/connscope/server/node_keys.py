"""What makes a node, for each way to group: a record of each end of a connection."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.row.columns import NO_UID, Rows
from connscope.server.addresses import is_v4, means_itself
from connscope.server.keys import Integers, Keys, halves, mixed

__all__ = (
    "GROUPS",
    "NODE",
    "NO_HOST",
    "Kind",
    "Nodes",
    "by_address_only",
    "hashed",
    "is_unattributed",
    "own_nodes",
    "peer_nodes",
)


class Kind(IntEnum):
    """What a node is; the lower-case name begins its id."""

    PROCESS = 1
    EXECUTABLE = 2
    HOST = 3
    USER = 4
    NAMESPACE = 5
    PORT = 6
    ADDRESS = 7
    CIDR = 8


GROUPS = {kind.name.lower(): kind for kind in Kind}
"""The groupings, by their names in the API."""

NODE = np.dtype(
    [
        ("kind", np.uint8),
        ("host", np.uint16),
        ("number", np.uint64),
        ("start", np.uint64),
        ("bytes", np.dtype((np.uint8, 16))),
        ("comm", np.dtype((np.uint8, 16))),
    ]
)
"""A node. `number`: pid, uid, inode, or protocol and port. `bytes`: address, network or name.
`comm` is no part of what makes it."""

Nodes = npt.NDArray[Any]
NO_HOST = 0xFFFF
V4_NETWORK = 15
V6_NETWORK = 8


def hashed(nodes: Nodes) -> Keys:
    """The key of each node."""
    return mixed(
        nodes["kind"], nodes["host"], nodes["number"], nodes["start"], *halves(nodes["bytes"])
    )


def own_nodes(grouping: Kind, rows: Rows, hosts: npt.NDArray[Any], serves: Any) -> Nodes:
    """The node of the local end of each row.

    Args:
        grouping: by what.
        rows: shape (n,), `ROW`.
        hosts: the number of the host of each.
        serves: which local ends are servers; shape (n,).
    """
    nodes = np.zeros(len(rows), NODE)
    nodes["kind"], nodes["host"] = grouping, hosts
    if grouping is Kind.PROCESS:
        nodes["number"], nodes["start"] = rows["pid"], rows["process_start_ns"]
        nodes["comm"] = _comm(rows)
    elif grouping in (Kind.EXECUTABLE, Kind.PORT):
        nodes["kind"], nodes["bytes"] = Kind.EXECUTABLE, _comm(rows)
    elif grouping is Kind.USER:
        nodes["number"] = rows["uid"]
    elif grouping is Kind.NAMESPACE:
        nodes["number"] = rows["netns"]
    elif grouping is not Kind.HOST:
        _set_address(nodes, grouping, rows["local_address"], hosts)
    if grouping is Kind.PORT:
        _set_port(nodes, np.flatnonzero(serves), rows["protocol"], rows["local_port"])
    return nodes


def peer_nodes(grouping: Kind, rows: Rows, hosts: npt.NDArray[Any], serves: Any) -> Nodes:
    """The node of the other end of each row, of which nothing is known but its address and port.

    Args:
        grouping, rows, hosts: as for `own_nodes`.
        serves: which of the other ends are servers.
    """
    nodes = np.zeros(len(rows), NODE)
    by = grouping if grouping is Kind.CIDR else Kind.ADDRESS
    _set_address(nodes, by, rows["peer_address"], hosts)
    if grouping is Kind.PORT:
        _set_port(nodes, np.flatnonzero(serves), rows["protocol"], rows["peer_port"])
    return nodes


def by_address_only(grouping: Kind) -> bool:
    """The node of a peer is its address, whether or not somebody sees it from there."""
    return grouping in (Kind.ADDRESS, Kind.CIDR)


def is_unattributed(nodes: Nodes) -> npt.NDArray[np.bool_]:
    """Nobody is known to own it."""
    kind = nodes["kind"]
    unattributed: npt.NDArray[np.bool_] = (
        ((kind == Kind.PROCESS) & (nodes["number"] == 0))
        | ((kind == Kind.EXECUTABLE) & ~nodes["bytes"].any(axis=1))
        | ((kind == Kind.USER) & (nodes["number"] == NO_UID))
        | ((kind == Kind.NAMESPACE) & (nodes["number"] == 0))
    )
    return unattributed


def _comm(rows: Rows) -> npt.NDArray[np.uint8]:
    """Up to the first NUL: what stands after it is left over."""
    comm = np.ascontiguousarray(rows["comm"]).view(np.uint8).reshape(-1, 16).copy()
    comm[np.logical_or.accumulate(comm == 0, axis=1)] = 0
    return comm


def _set_address(
    nodes: Nodes, grouping: Kind, addresses: npt.NDArray[Any], hosts: npt.NDArray[Any]
) -> None:
    """Addresses that mean a machine itself are nodes of that machine."""
    packed = np.array(addresses, np.uint8)
    itself = means_itself(packed)
    if grouping is Kind.CIDR:
        v4 = is_v4(packed)
        packed[v4, V4_NETWORK:] = 0
        packed[~v4, V6_NETWORK:] = 0
        nodes["number"] = v4
    nodes["kind"], nodes["bytes"] = grouping, packed
    nodes["host"] = np.where(itself, hosts, NO_HOST)


def _set_port(
    nodes: Nodes, places: Integers, protocols: npt.NDArray[Any], ports: npt.NDArray[Any]
) -> None:
    nodes[places] = np.zeros((), NODE)
    nodes["kind"][places], nodes["host"][places] = Kind.PORT, NO_HOST
    number = protocols[places].astype(np.uint64) << np.uint64(16)
    nodes["number"][places] = number | ports[places]
