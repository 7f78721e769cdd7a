"""Single connections: the flat objects that ``connscope list`` prints, with both nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from connscope.errors import UsageError
from connscope.row.json_lines import json_lines
from connscope.server.grouping import Grouping
from connscope.server.keys import Integers
from connscope.server.live import Live
from connscope.server.recent import Recent
from connscope.server.sums import Chosen
from connscope.server.window import OPEN

__all__ = ("SORTS", "Page", "on_edge", "on_node", "page_of")

SORTS = ("rate", "sent", "received", "opened", "rtt", "retransmits")
COLUMNS = {
    "sent": "bytes_sent",
    "received": "bytes_received",
    "opened": "opened_ns",
    "rtt": "rtt_us",
    "retransmits": "retransmits",
}


@dataclass(frozen=True, slots=True)
class Page:
    """Some connections.

    Attributes:
        connections: JSON objects.
        matching: how many there are.
    """

    connections: list[msgspec.Raw]
    matching: int


def on_node(grouping: Grouping, chosen: Chosen, node: int) -> Integers:
    """The slots of those connections that have the node at one end."""
    slots = chosen.slots
    found: Integers = slots[(grouping.own[slots] == node) | (grouping.other[slots] == node)]
    return found


def on_edge(grouping: Grouping, chosen: Chosen, source: int, target: int) -> Integers:
    """The slots of those connections that the edge is made of."""
    wanted = grouping.source_of[chosen.edge] == source
    wanted &= grouping.target_of[chosen.edge] == target
    found: Integers = chosen.slots[wanted]
    return found


def page_of(
    live: Live, grouping: Grouping, slots: Integers, recent: Recent, sort: str, limit: int
) -> Page:
    """The first connections in some order, the open ones first.

    Args:
        live: refreshed.
        grouping: what their nodes are of.
        slots: of all that match.
        recent: for their rates.
        sort: one of SORTS, the greatest first.
        limit: how many at most.

    Raises:
        UsageError: there is no such order.
    """
    if sort not in SORTS:
        raise UsageError(f"sort is {sort!r}: it must be one of {', '.join(SORTS)}")
    rank = _rank(live, slots, recent, sort)
    is_open = live.window.status[slots] == OPEN
    # Among equal ones the order of the slots, so that it stays.
    order = np.lexsort((slots, -rank, ~is_open))[:limit]
    chosen = slots[order]
    return Page(_objects(live, grouping, chosen), len(slots))


def _rank(live: Live, slots: Integers, recent: Recent, sort: str) -> npt.NDArray[Any]:
    if sort == "rate":
        amounts = recent.amounts[:, 0] + recent.amounts[:, 1]
        return np.bincount(recent.moved, amounts, live.window.capacity)[slots]
    rank: npt.NDArray[Any] = live.window.rows[COLUMNS[sort]][slots].astype(np.float64)
    if sort == "opened":  # clocks of several hosts
        offsets = np.array([float(host.wall_minus_boottime_ns) for host in live.hosts] or [0.0])
        rank = np.where(rank > 0, rank + offsets[live.window.host[slots]], 0)
    return rank


def _objects(live: Live, grouping: Grouping, slots: Integers) -> list[msgspec.Raw]:
    """Each with its host, client and server; a host at a time, because each has its clock."""
    found: list[msgspec.Raw] = [msgspec.Raw()] * len(slots)
    edges = grouping.edge_of[grouping.link[slots]]
    own = live.pairing.own()[slots]
    clients = live.describe(grouping, grouping.source_of[edges])
    servers = live.describe(grouping, grouping.target_of[edges])
    hosts = live.window.host[slots]
    for number in np.unique(hosts).tolist():
        host = live.hosts.numbered(number)
        places = np.flatnonzero(hosts == number)
        lines = json_lines(live.window.rows[slots[places]], host.wall_minus_boottime_ns)
        for place, line in zip(places.tolist(), lines.splitlines(), strict=True):
            more = {
                "host": live.hosts.label(host),
                "client": clients[place].id,
                "server": servers[place].id,
                "ends": 2 if live.pairing.partner[slots[place]] >= 0 else 1,
            }
            more |= {"own": True} if own[place] else {}
            found[place] = msgspec.Raw(f"{line[:-1]},{msgspec.json.encode(more).decode()[1:]}")
    return found
