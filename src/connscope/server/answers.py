"""What is known, as the objects of the API: see docs/api.md."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from connscope.row.address import address_text
from connscope.row.columns import NO_UID
from connscope.row.outside_text import printable
from connscope.row.wall_time import rfc3339_text
from connscope.row.words import Protocol, word
from connscope.server.describe import Described
from connscope.server.grouping import Grouping
from connscope.server.host import Host
from connscope.server.listeners import REACHES
from connscope.server.live import Live
from connscope.server.sight import Sight
from connscope.server.sums import EDGE_SUMS, NODE_SUMS
from connscope.server.topology import ACTIVITY, HEALTH

__all__ = (
    "edge_objects",
    "host_objects",
    "listener_objects",
    "node_objects",
    "quiet_node",
    "topology_object",
    "totals_object",
)

Plain = dict[str, Any]


def topology_object(live: Live, sight: Sight) -> Plain:
    """The answer to ``GET topology``."""
    return {
        "time": rfc3339_text(0, sight.time_ns),
        "group": sight.options.group,
        "window_s": sight.options.window_s,
        "nodes": node_objects(sight),
        "edges": edge_objects(sight),
        "totals": totals_object(live, sight),
    }


def node_objects(sight: Sight) -> list[Plain]:
    """Node, of each node of a sight."""
    sums = [sight.topology.node_sums[name].tolist() for name in (*NODE_SUMS, "problems")]
    return [
        _words_of(node)
        | dict(zip((*NODE_SUMS, "problems"), values, strict=True))
        | {"listeners": [listener._asdict() for listener in listeners]}
        for node, listeners, *values in zip(sight.nodes, sight.listeners, *sums, strict=True)
    ]


def _words_of(node: Described) -> Plain:
    words = {
        "id": node.id,
        "kind": node.kind,
        "label": node.label,
        "detail": node.detail,
        "host": node.host,
        "box": node.box,
        "outside": node.outside,
    }
    return {name: value for name, value in words.items() if value != ""}


def quiet_node(live: Live, grouping: Grouping, number: int) -> Plain:
    """Node, of one without connections."""
    node = live.describe(grouping, np.array([number]))[0]
    nothing = dict.fromkeys((*NODE_SUMS, "problems"), 0)
    return _words_of(node) | nothing | {"listeners": []}


def edge_objects(sight: Sight) -> list[Plain]:
    """Edge, of each edge of a sight."""
    topology, ids = sight.topology, [node.id for node in sight.nodes]
    names = (*EDGE_SUMS, "ends", "role_known", "rtt_us", "health", "activity")
    columns = [topology.edge_sums[name].tolist() for name in names]
    found = []
    for source, target, ports, reasons, *values in zip(
        topology.sources.tolist(),
        topology.targets.tolist(),
        topology.ports,
        topology.reasons,
        *columns,
        strict=True,
    ):
        edge = {"id": f"{ids[source]}>{ids[target]}", "source": ids[source], "target": ids[target]}
        edge |= dict(zip(names, values, strict=True)) | {"ports": ports, "reasons": reasons}
        edge["role_known"] = bool(edge["role_known"])
        edge["health"], edge["activity"] = HEALTH[edge["health"]], ACTIVITY[edge["activity"]]
        if not edge["rtt_us"]:
            del edge["rtt_us"]
        found.append(edge)
    return found


def totals_object(live: Live, sight: Sight) -> Plain:
    """Totals."""
    totals = dict(sight.topology.totals)
    totals["lost"] = sum(host.health.lost + host.view.missed for host in live.hosts)
    if not totals["nodes"]:
        totals["empty"] = _why_empty(live, sight, totals["total_connections"])
    return totals


def _why_empty(live: Live, sight: Sight, total: int) -> str:
    if not len(live.hosts):
        return "No agent has reported yet: start one with `connscope agent`, or `connscope launch`."
    if own := sight.topology.totals["own_hidden"]:
        return f"Only connscope's own connections are there, {own:,}, and they are hidden."
    if sight.options.filter and total:
        return f"The filter hides {total:,} of {total:,} connections."
    silent = sum(host.silent for host in live.hosts)
    if silent == len(live.hosts):
        return "No agent reports any more."
    return f"Agents report; no connection was there in {sight.options.window_s} s."


def host_objects(live: Live, now_s: float) -> list[Plain]:
    """Host, of each host."""
    open_slots = {host.number: host.slots for host in live.hosts}
    found = []
    for host in live.hosts:
        slots = open_slots[host.number]
        listeners = int(live.window.listens[slots].sum())
        found.append(_host_object(live, host, now_s, len(slots) - listeners, listeners))
    return found


def _host_object(live: Live, host: Host, now_s: float, connections: int, listeners: int) -> Plain:
    health = host.health
    host_object: Plain = {
        "host": live.hosts.label(host),
        "id": host.id,
        "name": host.name,
        "tier": health.tier,
        "groups": health.groups,
        "audit": health.audit,
        "lost": health.lost + host.view.missed,
        "missed": host.view.missed,
        "limits": list(health.limits),
        "last_seen_at": rfc3339_text(0, host.seen_at_ns),
        "silent_s": round(max(0.0, now_s - host.seen_s), 1),
        "connections": connections,
        "listeners": listeners,
    }
    if host.behind_s:
        host_object["behind_s"] = round(host.behind_s, 1)
    if health.completeness is not None:
        host_object["completeness"] = round(health.completeness, 6)
    return host_object


def listener_objects(
    live: Live, grouping: Grouping, chosen: Iterable[int] | None = None
) -> list[Plain]:
    """Listener, of each listener.

    Args:
        live: refreshed.
        grouping: what their nodes are of.
        chosen: slots; None: all.
    """
    listening = live.listeners.now()
    wanted = None if chosen is None else set(chosen)
    slots = listening.slots.tolist()
    places = [place for place, slot in enumerate(slots) if wanted is None or slot in wanted]
    numbers = grouping.own[listening.slots[places]]
    nodes = live.describe(grouping, numbers)
    return [
        _listener_object(live, slots[place], node.id)
        | {
            "clients": int(listening.clients[place]),
            "reach": REACHES[listening.reach[place]],
        }
        for place, node in zip(places, nodes, strict=True)
    ]


def _listener_object(live: Live, slot: int, node: str) -> Plain:
    row = live.window.rows[slot]
    host = live.hosts.numbered(int(live.window.host[slot]))
    listener: Plain = {
        "host": live.hosts.label(host),
        "node": node,
        "protocol": word(Protocol(row["protocol"])),
        "address": address_text(row["local_address"].tobytes()),
        "port": int(row["local_port"]),
    }
    if row["pid"]:
        listener |= {"process": printable(row["comm"].tobytes()), "pid": int(row["pid"])}
    if row["uid"] != NO_UID:
        listener["uid"] = int(row["uid"])
    if row["queue_length"] or row["queue_limit"]:
        listener["queue_length"] = int(row["queue_length"])
        listener["queue_limit"] = int(row["queue_limit"])
    return listener
