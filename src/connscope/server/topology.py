"""Who talks to whom in one view: the busiest nodes, the edges between them, and the rest exactly.

All numbers are whole, and every edge is either shown or among the others: sums are equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.row.words import ClosedBy, Failure, word
from connscope.server.grouping import Grouping
from connscope.server.keys import Integers
from connscope.server.recent import Recent
from connscope.server.sums import (
    NODE_SUMS,
    Chosen,
    Edges,
    Scene,
    Sums,
    add_details,
    node_total,
    places_among,
    sum_edges,
    sum_nodes,
)

__all__ = ("ACTIVITY", "HEALTH", "METRICS", "Topology", "summarize")

METRICS = ("throughput", "connections", "opened", "failed", "retransmits", "rtt")
HEALTH = ("fine", "degraded", "failing")
ACTIVITY = ("active", "idle", "closed")
RESETS = (ClosedBy.LOCAL_RESET.value, ClosedBy.PEER_RESET.value)
REASONS = 256
"""Reasons are failures, and above them who reset a connection."""


@dataclass(frozen=True, slots=True)
class Topology:
    """The outcome; nodes and edges are numbers of the grouping.

    Attributes:
        nodes: shown, busiest first.
        node_sums: of each node in all its edges, shown or not: NODE_SUMS, and `problems`.
        edges: shown: those between shown nodes.
        sources, targets: of each shown edge, places in `nodes`.
        edge_sums: of each shown edge, by `sum_edges` and `add_details`.
        ports: of each shown edge, the busiest first.
        reasons: of each shown edge, how many connections failed or were reset, by word.
        totals: of all nodes and edges, and `others` of those that are not shown.
    """

    nodes: Integers
    node_sums: Sums
    edges: Integers
    sources: Integers
    targets: Integers
    edge_sums: Sums
    ports: list[list[int]]
    reasons: list[dict[str, int]]
    totals: dict[str, Any]


def summarize(
    scene: Scene, chosen: Chosen, recent: Recent, *, metric: str, limit: int, seconds: float
) -> Topology:
    """Adds up.

    Args:
        scene, chosen: as of now.
        recent: what happened in the window.
        metric: one of METRICS, by which the nodes are chosen.
        limit: how many nodes are shown.
        seconds: the length of what `recent` tells of, for rates.
    """
    grouping = scene.grouping
    every = sum_edges(scene, chosen, recent, seconds)
    source, target = grouping.source_of[every.numbers], grouping.target_of[every.numbers]
    used = np.zeros(grouping.node_count, np.bool_)
    used[source] = used[target] = True
    numbers = np.flatnonzero(used)
    node_place = places_among(numbers, len(used))
    source, target = node_place[source], node_place[target]
    if metric == "rtt":
        add_details(scene, chosen, every)
    rank = _ranked(metric, every.sums, source, target, len(numbers))
    order = np.lexsort((numbers, -rank))[:limit]
    place = places_among(order, len(numbers))
    node_sums = _sums_of_shown(every.sums, place[source], place[target], len(order))
    shown = np.flatnonzero((place[source] >= 0) & (place[target] >= 0))
    totals = _totals(every.sums, shown, len(numbers), len(order))
    totals |= {
        "total_connections": chosen.total,
        "own": chosen.own,
        "own_hidden": chosen.own_hidden,
    }
    edges = Edges(
        every.numbers[shown], {name: values[shown] for name, values in every.sums.items()}
    )
    add_details(scene, chosen, edges)
    of_edge = places_among(edges.numbers, len(grouping.source_of))
    return Topology(
        nodes=numbers[order],
        node_sums=node_sums,
        edges=edges.numbers,
        sources=place[source[shown]],
        targets=place[target[shown]],
        edge_sums=edges.sums,
        ports=_ports(grouping, chosen, of_edge, len(shown)),
        reasons=_reasons(scene, chosen, recent, of_edge, len(shown)),
        totals=totals,
    )


def _ranked(
    metric: str, sums: Sums, source: Integers, target: Integers, size: int
) -> npt.NDArray[Any]:
    """What the nodes are ordered by."""
    if metric == "rtt":
        slowest = np.zeros(size)
        np.maximum.at(slowest, source, sums["rtt_us"])
        np.maximum.at(slowest, target, sums["rtt_us"])
        return slowest
    if metric == "throughput":
        moved = node_total(sums["sent_bps"] + sums["received_bps"], source, target, size)
        # Of those that are quiet, who has more connections.
        connections = node_total(sums["open"], source, target, size)
        rank: npt.NDArray[Any] = moved + connections / (connections.max(initial=0) + 1)
        return rank
    values = sums["open" if metric == "connections" else metric]
    return node_total(values, source, target, size)


def _sums_of_shown(sums: Sums, source: Integers, target: Integers, size: int) -> Sums:
    """Of each shown node; an end that is not shown is in place -1."""
    touching = np.flatnonzero((source >= 0) | (target >= 0))
    source, target = source[touching] % (size + 1), target[touching] % (size + 1)
    some = {name: values[touching] for name, values in sums.items()}
    every = sum_nodes(some, source, target, size + 1)
    return {name: values[:size] for name, values in every.items()}


def _totals(sums: Sums, shown: Integers, nodes: int, shown_nodes: int) -> dict[str, Any]:
    every = {name: int(sums[name].sum()) for name in NODE_SUMS}
    seen = {name: int(sums[name][shown].sum()) for name in NODE_SUMS}
    edges = len(sums["open"])
    return {
        "nodes": nodes,
        "edges": edges,
        "connections": every.pop("open"),
        "shown_nodes": shown_nodes,
        "shown_edges": len(shown),
        **every,
        "others": {
            "nodes": nodes - shown_nodes,
            "edges": edges - len(shown),
            "connections": int(sums["open"].sum()) - seen["open"],
            "sent_bps": every["sent_bps"] - seen["sent_bps"],
            "received_bps": every["received_bps"] - seen["received_bps"],
        },
    }


def _ports(
    grouping: Grouping, chosen: Chosen, of_edge: Integers, size: int, most: int = 8
) -> list[list[int]]:
    """The server ports of each edge with the most connections."""
    place = of_edge[chosen.edge]
    port = grouping.port_of[grouping.link[chosen.slots[place >= 0]]]
    keys, counts = np.unique(place[place >= 0] << 16 | port, return_counts=True)
    found: list[list[int]] = [[] for _ in range(size)]
    for key in keys[np.lexsort((keys & 0xFFFF, -counts, keys >> 16))].tolist():
        if len(found[key >> 16]) < most:
            found[key >> 16].append(key & 0xFFFF)
    return found


def _reasons(
    scene: Scene, chosen: Chosen, recent: Recent, of_edge: Integers, size: int
) -> list[dict[str, int]]:
    """Why connects failed, and which connections were reset, in the window."""
    rows, link = scene.window.rows, scene.grouping.link
    failed = recent.failed[chosen.speaks[recent.failed]]
    closed = recent.closed[chosen.speaks[recent.closed]]
    closed = closed[np.isin(rows["closed_by"][closed], RESETS)]
    slots = np.concatenate([failed, closed])
    reasons = np.concatenate([rows["failure"][failed], np.full(len(closed), REASONS - 1, np.uint8)])
    places = of_edge[scene.grouping.edge_of[link[slots]]]
    keys = (places * REASONS + reasons)[places >= 0]
    found: list[dict[str, int]] = [{} for _ in range(size)]
    distinct, counts = np.unique(keys, return_counts=True)
    for key, count in zip(distinct.tolist(), counts.tolist(), strict=True):
        place, reason = divmod(key, REASONS)
        name = "reset" if reason == REASONS - 1 else word(Failure(reason))
        found[place][name] = found[place].get(name, 0) + count
    return found
