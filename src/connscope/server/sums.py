"""Sums over the connections of a view, by edge and by node.

All are whole numbers, and an edge's are the same wherever they are added up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.row.words import Kind
from connscope.server.grouping import Grouping
from connscope.server.keys import Integers
from connscope.server.median import medians
from connscope.server.pairing import Pairing
from connscope.server.recent import Recent
from connscope.server.window import FREE, OPEN, Window

__all__ = (
    "EDGE_SUMS",
    "NODE_SUMS",
    "Chosen",
    "Edges",
    "Scene",
    "Sums",
    "add_details",
    "choose",
    "node_total",
    "places_among",
    "sum_edges",
    "sum_nodes",
)

Mask = npt.NDArray[np.bool_]
Sums = dict[str, npt.NDArray[np.int64]]

EDGE_SUMS = (
    *("open", "opened", "closed", "failed", "sent_bps", "received_bps"),
    *("retransmits", "segments", "bytes_sent", "bytes_received"),
)
NODE_SUMS = ("open", "opened", "closed", "failed", "sent_bps", "received_bps")
DEGRADED_SHARE = 0.02
"""Of segments that were sent again."""
FAILING_SHARE = 0.5
"""Of connects that did not succeed."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What views are made of, each refreshed: the window, its pairs, its nodes and edges."""

    window: Window
    pairing: Pairing
    grouping: Grouping


@dataclass(frozen=True, slots=True)
class Chosen:
    """The connections of a view, each once.

    Attributes:
        slots: of the ends that speak for them.
        edge: of each, a number of the grouping.
        speaks: the same as a mask, by slot.
        total: how many are open before the filter.
        own: how many that are open and match are connscope's own, whether they are here or not.
        own_hidden: how many of them are not.
    """

    slots: Integers
    edge: Integers
    speaks: Mask
    total: int
    own: int
    own_hidden: int


@dataclass(frozen=True, slots=True)
class Edges:
    """The edges of a view.

    Attributes:
        numbers: of the grouping.
        sums: of each; see `sum_edges` and `add_details`.
    """

    numbers: Integers
    sums: Sums


def choose(scene: Scene, matching: Mask | None, *, own: bool = True) -> Chosen:
    """Which connections a view has.

    Args:
        scene: of which.
        matching: which slots the filter holds for; None: all. It is enough if it holds for one
            end.
        own: if connscope's own connections are among them.
    """
    window, pairing, grouping = scene.window, scene.pairing, scene.grouping
    slots = np.flatnonzero(pairing.speaks & (window.status != FREE) & ~window.listens)
    total = int(np.count_nonzero(window.status[slots] == OPEN))
    if matching is not None:
        slots = slots[_matches(matching, pairing.partner, slots)]
    own_open = 0
    if window.own.any():
        is_own = pairing.own()[slots]
        own_open = int(np.count_nonzero(window.status[slots[is_own]] == OPEN))
        slots = slots if own else slots[~is_own]
    speaks = np.zeros(window.capacity, np.bool_)
    speaks[slots] = True
    edge = grouping.edge_of[grouping.link[slots]]
    return Chosen(slots, edge, speaks, total, own_open, 0 if own else own_open)


def _matches(matching: Mask, partner: npt.NDArray[np.int32], slots: Integers) -> Mask:
    """For which connections a filter holds, by the slots that speak for them."""
    found = matching[slots]
    others = np.flatnonzero(~found)
    partners = partner[slots[others]]
    found[others] = (partners >= 0) & matching[partners]
    return found


def places_among(numbers: Integers, size: int) -> Integers:
    """A table of the place that each number below `size` has among some, or -1."""
    places = np.full(size, -1, np.intp)
    places[numbers] = np.arange(len(numbers))
    return places


def sum_edges(scene: Scene, chosen: Chosen, recent: Recent, seconds: float) -> Edges:
    """All edges that have a connection, with what is needed to say which are shown.

    Args:
        scene, chosen: as of now.
        recent: what happened in the window.
        seconds: the length of what `recent` tells of, for rates.

    Returns:
        Of each edge `open`, `opened`, `closed`, `failed`, `sent_bps`, `received_bps`,
        `retransmits`, `segments` and `health`.
    """
    grouping, size = scene.grouping, len(scene.grouping.source_of)
    present = np.bincount(chosen.edge, minlength=size)
    numbers = np.flatnonzero(present)
    place = places_among(numbers, size)
    # Most are open: those that are not are fewer to count.
    over = np.flatnonzero(scene.window.status[chosen.slots] != OPEN)
    by_edge = {
        "open": present[numbers] - np.bincount(place[chosen.edge[over]], minlength=len(numbers)),
        "opened": _counted(chosen, grouping, recent.opened, place, len(numbers)),
        "closed": _counted(chosen, grouping, recent.closed, place, len(numbers)),
        "failed": _counted(chosen, grouping, recent.failed, place, len(numbers)),
    } | _moved(scene, chosen, recent, place, len(numbers))
    sums: Sums = {name: values.astype(np.int64, copy=False) for name, values in by_edge.items()}
    for name in ("sent_bps", "received_bps"):
        sums[name] = np.rint(sums[name] / seconds).astype(np.int64)
    _judge(sums)
    return Edges(numbers, sums)


def add_details(scene: Scene, chosen: Chosen, edges: Edges) -> None:
    """Adds what is only told of edges that are shown.

    `bytes_sent`, `bytes_received`, `ends`, `role_known`, `rtt_us` (the median) and `activity`.
    """
    window, pairing, grouping = scene.window, scene.pairing, scene.grouping
    size = len(edges.numbers)
    place = places_among(edges.numbers, len(grouping.source_of))[chosen.edge]
    shown = place >= 0
    place, slots = place[shown], chosen.slots[shown]
    outward = pairing.outward[slots]
    sent, received, rtt = window.sent[slots], window.received[slots], window.rtt_us[slots]
    failed = window.rows["kind"][slots] == Kind.FAILED
    alone = np.bincount(place[(pairing.partner[slots] < 0) & ~failed], minlength=size)
    paired = np.bincount(place[pairing.partner[slots] >= 0], minlength=size)
    guessed = np.bincount(place[~pairing.role_known[slots]], minlength=size)
    sums = edges.sums
    for name, ours, theirs in (("bytes_sent", sent, received), ("bytes_received", received, sent)):
        total = np.bincount(place, np.where(outward, ours, theirs), size)
        sums[name] = total.astype(np.int64)
    sums["ends"] = np.where((paired > 0) & (alone == 0), 2, 1)
    sums["role_known"] = (guessed == 0).astype(np.int64)
    sums["rtt_us"] = medians(place[rtt > 0], rtt[rtt > 0], size)
    moves = sums["sent_bps"] + sums["received_bps"] > 0
    sums["activity"] = np.where(sums["open"] == 0, 2, np.where(moves, 0, 1))


def _counted(
    chosen: Chosen, grouping: Grouping, slots: Integers, place: Integers, size: int
) -> Any:
    """How many of these slots speak for a connection, by the place of the edge."""
    speaking = slots[chosen.speaks[slots]]
    return np.bincount(place[grouping.edge_of[grouping.link[speaking]]], minlength=size)


def _moved(
    scene: Scene, chosen: Chosen, recent: Recent, place: Integers, size: int
) -> dict[str, Any]:
    """What counters grew by, from the client to the server and back, by the place of the edge."""
    speaking = np.flatnonzero(chosen.speaks[recent.moved])
    slots = recent.moved[speaking]
    edge = place[scene.grouping.edge_of[scene.grouping.link[slots]]]
    outward = scene.pairing.outward[slots]
    sent, received, retransmits, segments = recent.amounts[speaking].T
    return {
        "sent_bps": np.bincount(edge, np.where(outward, sent, received), size),
        "received_bps": np.bincount(edge, np.where(outward, received, sent), size),
        "retransmits": np.bincount(edge, retransmits, size),
        "segments": np.bincount(edge, segments, size),
    }


def _judge(sums: Sums) -> None:
    """Says of each edge how well it is."""
    tried = sums["opened"] + sums["failed"]
    again = sums["retransmits"] > DEGRADED_SHARE * np.maximum(sums["segments"], 1)
    failing = (sums["failed"] > 0) & (sums["failed"] >= FAILING_SHARE * tried)
    degraded = (sums["failed"] > 0) | (again & (sums["retransmits"] > 1))
    sums["health"] = np.where(failing, 2, np.where(degraded, 1, 0))


def node_total(
    values: npt.NDArray[Any], source: Integers, target: Integers, size: int
) -> npt.NDArray[Any]:
    """Of each node what its edges have; of an edge to itself once."""
    total = np.bincount(source, values, size)
    total += np.bincount(target, np.where(source == target, 0, values), size)
    return total


def sum_nodes(sums: Sums, source: Integers, target: Integers, size: int) -> Sums:
    """NODE_SUMS of each node, and `problems`: its edges that are not fine.

    Sent is what went out of it, received what came in; an edge to itself does both.
    """
    counts = {name: sums[name] for name in NODE_SUMS[:4]} | {"problems": sums["health"] > 0}
    found: Sums = {
        name: node_total(values, source, target, size).astype(np.int64)
        for name, values in counts.items()
    }
    sent, received = sums["sent_bps"], sums["received_bps"]
    for name, out, back in (("sent_bps", sent, received), ("received_bps", received, sent)):
        total = np.bincount(source, out, size) + np.bincount(target, back, size)
        found[name] = total.astype(np.int64)
    return found
