"""The answers about one node, one edge, and about connections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from connscope.errors import UsageError
from connscope.server.answers import (
    edge_objects,
    listener_objects,
    node_objects,
    quiet_node,
)
from connscope.server.connections import Page, on_edge, on_node, page_of
from connscope.server.describe import parse_node
from connscope.server.grouping import Grouping
from connscope.server.keys import Integers
from connscope.server.live import Live
from connscope.server.node_keys import GROUPS
from connscope.server.parameters import number_in
from connscope.server.sight import OWN, ViewOptions
from connscope.server.state import Server
from connscope.server.sums import Chosen

__all__ = ("connections_object", "edge_object", "node_object")

PAGE, PAGE_MOST = 200, 10_000
Plain = dict[str, Any]


def connections_object(server: Server, query: Mapping[str, str]) -> Plain:
    """The answer to ``GET connections``.

    Raises:
        UsageError: what is asked for can not be had.
        LookupError: there is no such node or edge.
    """
    now_s, live = server.clock(), server.live
    grouping = live.grouping(_group_of(query, query.get("edge", query.get("node", ""))), now_s)
    chosen = live.choose(grouping, query.get("filter", ""), now_s, _own_of(query))
    slots = chosen.slots
    if "edge" in query:
        slots = on_edge(grouping, chosen, *_edge_numbers(live, grouping, query["edge"]))
    elif "node" in query:
        slots = on_node(grouping, chosen, _node_number(live, grouping, query["node"]))
    recent = live.window.recent(now_s, live.window.window_s)
    limit = number_in(query, "limit", PAGE, PAGE_MOST)
    page = page_of(live, grouping, slots, recent, query.get("sort", "rate"), limit)
    return {
        "connections": page.connections,
        "matching": page.matching,
        "total": int(np.count_nonzero(live.pairing.speaks & live.window.is_connection())),
    }


def node_object(server: Server, node_id: str, query: Mapping[str, str]) -> Plain:
    """The answer to ``GET nodes/ID``.

    Raises:
        UsageError: it is no id.
        LookupError: there is no such node now.
    """
    live, now_s = server.live, server.clock()
    grouping, every = _every(server, query, node_id)
    number = _node_number(live, grouping, node_id)
    slots = on_node(grouping, every, number)
    listening = live.listeners.now().slots
    mine = listening[grouping.own[listening] == number]
    if not len(slots) + len(mine):
        raise LookupError(f"nothing of {node_id!r} is in the window")
    options = ViewOptions(group=_group_of(query, node_id), window_s=live.window.window_s)
    sight = live.part(options, grouping, every, slots, now_s, server.wall())
    edges = edge_objects(sight)
    node = next((node for node in node_objects(sight) if node["id"] == node_id), None)
    return {
        "node": node or quiet_node(live, grouping, number),
        "inbound": [edge for edge in edges if edge["target"] == node_id],
        "outbound": [edge for edge in edges if edge["source"] == node_id],
        "connections": _page(live, grouping, slots, now_s).connections,
        "listeners": listener_objects(live, grouping, mine.tolist()),
    }


def edge_object(server: Server, edge_id: str, query: Mapping[str, str]) -> Plain:
    """The answer to ``GET edges/ID``.

    Raises:
        UsageError: it is no id.
        LookupError: there is no such edge now.
    """
    live, now_s = server.live, server.clock()
    grouping, every = _every(server, query, edge_id)
    source, target = _edge_numbers(live, grouping, edge_id)
    slots = on_edge(grouping, every, source, target)
    if not len(slots):
        raise LookupError(f"no connection of {edge_id!r} is in the window")
    options = ViewOptions(group=_group_of(query, edge_id), window_s=live.window.window_s)
    sight = live.part(options, grouping, every, slots, now_s, server.wall())
    return {
        "edge": edge_objects(sight)[0],
        "connections": _page(live, grouping, slots, now_s).connections,
    }


def _every(server: Server, query: Mapping[str, str], node_id: str) -> tuple[Grouping, Chosen]:
    now_s = server.clock()
    grouping = server.live.grouping(_group_of(query, node_id), now_s)
    text = query.get("filter", "")
    return grouping, server.live.choose(grouping, text, now_s, _own_of(query))


def _page(live: Live, grouping: Grouping, slots: Integers, now_s: float) -> Page:
    recent = live.window.recent(now_s, live.window.window_s)
    return page_of(live, grouping, slots, recent, "rate", PAGE)


def _group_of(query: Mapping[str, str], node_id: str = "") -> str:
    """The grouping that is asked for, or else the one that such an id is mostly of."""
    kinds = [part.partition(":")[0] for part in node_id.split(">")]
    guess = next((kind for kind in kinds if kind in GROUPS and kind != "address"), "process")
    group = query.get("group", guess)
    if group not in GROUPS:
        raise UsageError(f"group is {group[:80]!r}: it must be one of {', '.join(GROUPS)}")
    return group


def _own_of(query: Mapping[str, str]) -> str:
    own = query.get("own", OWN[0])
    if own not in OWN:
        raise UsageError(f"own is {own[:80]!r}: it must be one of {', '.join(OWN)}")
    return own


def _node_number(live: Live, grouping: Grouping, node_id: str) -> int:
    number = int(grouping.find_node(parse_node(node_id, live.hosts))[0])
    if number < 0:
        raise LookupError(f"there is no node {node_id!r}")
    return number


def _edge_numbers(live: Live, grouping: Grouping, edge_id: str) -> tuple[int, int]:
    """Names of processes may have a > in them: the right one is between two ids."""
    parts = edge_id.split(">")
    for middle in range(1, len(parts)):
        try:
            source = _node_number(live, grouping, ">".join(parts[:middle]))
            return source, _node_number(live, grouping, ">".join(parts[middle:]))
        except (UsageError, LookupError):
            continue
    raise LookupError(f"there is no edge {edge_id!r}: it is SOURCE>TARGET")
