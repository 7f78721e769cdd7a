"""The nodes and edges of one way to group, kept up with the window.

Each connection has a link: an edge, a server port, and whether it is known who the client is.
Links, edges and nodes are numbers, so that sums over a million connections are a few passes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.server.keys import Integers, KeyIndex, Keys
from connscope.server.node_keys import (
    NODE,
    Kind,
    Nodes,
    by_address_only,
    hashed,
    own_nodes,
    peer_nodes,
)
from connscope.server.pairing import Pairing
from connscope.server.slices import sliced
from connscope.server.window import FREE, Window, resized

__all__ = ("NO_LINK", "NO_NODE", "Grouping")

NO_LINK = -1
NO_NODE = -1
SPARE = 1 << 16
EDGE_BITS = np.uint64(32)
LINK_BITS = np.uint64(25)
"""Protocol, port, and if the role is known."""


class Grouping:
    """Nodes, edges and links of all connections.

    Args:
        kind: what a node is.
        window, pairing: of which connections.

    Attributes:
        link: the link of the connection, by slot; NO_LINK for listeners and free slots.
        own: the node of the local end, by slot; of listeners too.
        other: the node of the peer, by slot.
        edge_of, port_of, role_known: by link.
        source_of, target_of: by edge; nodes.
        used_s: when somebody last asked for it.
    """

    def __init__(self, kind: Kind, window: Window, pairing: Pairing) -> None:
        self.kind = kind
        self.used_s = 0.0
        self._window = window
        self._pairing = pairing
        self._forget_all()

    def _forget_all(self) -> None:
        self.link = np.zeros(0, np.int32)
        self.own = np.zeros(0, np.int32)
        self.other = np.zeros(0, np.int32)
        self.edge_of: Integers = np.zeros(0, np.intp)
        self.port_of = np.zeros(0, np.uint16)
        self.role_known = np.zeros(0, np.bool_)
        self.source_of: Integers = np.zeros(0, np.intp)
        self.target_of: Integers = np.zeros(0, np.intp)
        self._nodes: Nodes = np.zeros(0, NODE)
        self._owned = np.zeros(0, np.bool_)
        self._node_index, self._edge_index, self._link_index = KeyIndex(), KeyIndex(), KeyIndex()
        self._position = 0

    def nodes(self, numbers: npt.NDArray[Any]) -> Nodes:
        """What these nodes are."""
        found: Nodes = self._nodes[numbers]
        return found

    def is_ours(self, numbers: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Which of these nodes have ends that one of our hosts sees from within."""
        ours: npt.NDArray[np.bool_] = self._owned[numbers]
        return ours | self._pairing.is_used(self._nodes["bytes"][numbers])

    @property
    def node_count(self) -> int:
        """How many numbers of nodes there are."""
        return len(self._node_index)

    def find_node(self, nodes: Nodes) -> Integers:
        """The number of each node, or -1."""
        return self._node_index.find(hashed(nodes))

    def refresh(self) -> None:
        """Takes in what changed since the last time; the pairing is refreshed already."""
        if max(len(self._node_index), len(self._link_index)) > 2 * self._window.used + SPARE:
            self._forget_all()
        position = self._pairing.log.position
        slots = self._pairing.log.since(self._position) if len(self.link) else None
        capacity = self._window.capacity
        if slots is None:
            slots = np.arange(capacity, dtype=np.intp)
        self._position = position
        if capacity != len(self.link):
            self.link = resized(self.link, capacity, NO_LINK)
            self.own = resized(self.own, capacity, NO_NODE)
            self.other = resized(self.other, capacity, NO_NODE)
        self._take(slots)

    def _take(self, slots: Integers) -> None:
        window = self._window
        free = window.status[slots] == FREE
        gone, slots = slots[free], slots[~free]
        self.link[gone], self.own[gone], self.other[gone] = NO_LINK, NO_NODE, NO_NODE
        for part in sliced(slots):
            self._take_own(part)
        for part in sliced(slots):
            self._take_other(part)

    def _take_own(self, slots: Integers) -> None:
        window = self._window
        serves = ~self._pairing.outward[slots] | window.listens[slots]
        nodes = own_nodes(self.kind, window.rows[slots], window.host[slots], serves)
        self.own[slots] = numbers = self._numbers(nodes)
        self._owned[numbers] = True

    def _take_other(self, slots: Integers) -> None:
        window, pairing = self._window, self._pairing
        listens = window.listens[slots]
        self.other[slots[listens]], self.link[slots[listens]] = NO_NODE, NO_LINK
        slots = slots[~listens]
        rows, outward, partner = window.rows[slots], pairing.outward[slots], pairing.partner[slots]
        seen = (partner >= 0) & (not by_address_only(self.kind))
        peer = peer_nodes(self.kind, rows[~seen], window.host[slots[~seen]], outward[~seen])
        self.other[slots[~seen]] = self._numbers(peer)
        self.other[slots[seen]] = self.own[partner[seen]]
        self.link[slots] = self._links(slots, rows, outward)

    def _numbers(self, nodes: Nodes) -> Integers:
        numbers, fresh = self._node_index.give(hashed(nodes))
        if len(fresh):
            self._nodes = np.concatenate([self._nodes, nodes[fresh]])
            self._owned = resized(self._owned, len(self._nodes))
        if self.kind is Kind.PROCESS:
            self._nodes["comm"][numbers] = nodes["comm"]  # exec gives a process another name
        return numbers

    def _links(self, slots: Integers, rows: Any, outward: npt.NDArray[np.bool_]) -> Integers:
        own, other = self.own[slots], self.other[slots]
        source = np.where(outward, own, other).astype(np.uint64)
        target = np.where(outward, other, own).astype(np.uint64)
        edges, fresh = self._edge_index.give(source << EDGE_BITS | target)
        self.source_of = np.append(self.source_of, source[fresh].astype(np.intp))
        self.target_of = np.append(self.target_of, target[fresh].astype(np.intp))
        port = np.where(outward, rows["peer_port"], rows["local_port"])
        known = self._pairing.role_known[slots]
        links, fresh = self._link_index.give(_link_keys(edges, rows["protocol"], port, known))
        self.edge_of = np.append(self.edge_of, edges[fresh])
        self.port_of = np.append(self.port_of, port[fresh])
        self.role_known = np.append(self.role_known, known[fresh])
        return links


def _link_keys(edges: Integers, protocol: Any, port: Any, known: npt.NDArray[np.bool_]) -> Keys:
    keys = edges.astype(np.uint64) << LINK_BITS
    keys |= protocol.astype(np.uint64) << np.uint64(17)
    keys |= port.astype(np.uint64) << np.uint64(1)
    keys |= known.astype(np.uint64)
    return keys
