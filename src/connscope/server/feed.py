"""What one viewer has been told, and what is new to it: numbers instead of names, changes only.

A message is the difference between what was told last and what is: while a viewer is slow, changes
come together by themselves, and it never gets anything old.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from connscope.server.describe import Described
from connscope.server.sight import ListenerOfNode, Sight, ViewOptions
from connscope.server.sums import NODE_SUMS

__all__ = ("Feed",)

Row = list[Any]
Rows = dict[int, Row]
Plain = dict[str, Any]

NODE_METRICS = (*NODE_SUMS, "problems")
EDGE_METRICS = (
    *("open", "opened", "closed", "failed", "sent_bps", "received_bps"),
    *("retransmits", "segments", "rtt_us", "health", "activity"),
)
NUMBERS_MOST = 500_000
STEADY = ("silent_s", "behind_s", "last_seen_at")
"""Of a host: they change whenever one looks, and are told when something else does."""
SILENT_STEP_S = 10


class Numbered:
    """Numbers for texts, from 0 on."""

    def __init__(self) -> None:
        self._numbers = dict[str, int]()
        self._fresh = list[Row]()

    def __len__(self) -> int:
        return len(self._numbers)

    def of(self, text: str) -> int:
        """The number of the text."""
        number = self._numbers.get(text)
        if number is None:
            number = self._numbers[text] = len(self._numbers)
            self._fresh.append([number, text])
        return number

    def fresh(self) -> list[Row]:
        """Numbers and texts that came since this was asked last."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def all(self) -> list[Row]:
        """All numbers and texts; none is fresh any more."""
        self._fresh = []
        return [[number, text] for text, number in self._numbers.items()]


class Feed:
    """The state of a viewer.

    Attributes:
        epoch: of its numbers.
        sequence: of the last message.
    """

    def __init__(self) -> None:
        self.epoch = secrets.token_hex(8)
        self.sequence = 0
        self._strings, self._node_numbers, self._edge_numbers = Numbered(), Numbered(), Numbered()
        self._options: ViewOptions | None = None
        self._told: dict[str, Rows] = {}
        self._hosts: object = None

    @property
    def is_full(self) -> bool:
        """So many numbers are given out that it is better to begin anew."""
        numbers = (self._strings, self._node_numbers, self._edge_numbers)
        return sum(map(len, numbers)) > NUMBERS_MOST

    def message(self, sight: Sight, totals: Plain, hosts: list[Plain], time_ms: int) -> Plain:
        """What brings the viewer from what it knows to what is.

        Args:
            sight: what is; if it is of another view than before, all of it is told.
            totals, hosts: of the API.
            time_ms: of the sight.
        """
        now = self._rows(sight)
        told, self._told = self._told, now
        self.sequence += 1
        fingerprint = [_steady(host) for host in hosts]
        other_hosts, self._hosts = fingerprint != self._hosts, fingerprint
        head = {"sequence": self.sequence, "time_ms": time_ms}
        if self._options != sight.options:
            self._options = sight.options
            return {
                "t": "snapshot",
                **head,
                "view": _view(sight.options),
                "strings": self._strings.all(),
                **{name: list(rows.values()) for name, rows in now.items()},
                "totals": totals,
                "hosts": hosts,
            }
        changed = {name: _changed(told[name], rows) for name, rows in now.items()}
        message = {"t": "delta", **head, "strings": self._strings.fresh(), **changed}
        message["nodes_gone"] = [number for number in told["nodes"] if number not in now["nodes"]]
        message["edges_gone"] = [number for number in told["edges"] if number not in now["edges"]]
        message["totals"] = totals
        return message | ({"hosts": hosts} if other_hosts else {})

    def _rows(self, sight: Sight) -> dict[str, Rows]:
        """Everything as rows, by number."""
        topology, text = sight.topology, self._strings.of
        numbers = [self._node_numbers.of(node.id) for node in sight.nodes]
        nodes = {
            number: self._node_row(number, node, listeners)
            for number, node, listeners in zip(numbers, sight.nodes, sight.listeners, strict=True)
        }
        sums = topology.edge_sums
        places = list(zip(topology.sources.tolist(), topology.targets.tolist(), strict=True))
        ends = [(numbers[source], numbers[target]) for source, target in places]
        ids = [f"{sight.nodes[source].id}>{sight.nodes[target].id}" for source, target in places]
        edge_numbers = [self._edge_numbers.of(edge) for edge in ids]
        edges = {
            number: [number, text(edge), *both, *known, ports]
            for number, edge, both, known, ports in zip(
                edge_numbers,
                ids,
                ends,
                zip(sums["role_known"].tolist(), sums["ends"].tolist(), strict=True),
                topology.ports,
                strict=True,
            )
        }
        reasons = [text(_reasons(each)) if each else -1 for each in topology.reasons]
        columns = [sums[name].tolist() for name in EDGE_METRICS]
        return {
            "nodes": nodes,
            "edges": edges,
            "node_metrics": _metrics(
                numbers, [topology.node_sums[name].tolist() for name in NODE_METRICS]
            ),
            "edge_metrics": _metrics(edge_numbers, [*columns, reasons]),
        }

    def _node_row(self, number: int, node: Described, listeners: Iterable[ListenerOfNode]) -> Row:
        text = self._strings.of
        words = (node.id, node.kind, node.label, node.detail, node.host, node.box)
        return [
            number,
            *map(text, words),
            int(node.outside),
            [[text(each[0]), text(each[1]), *each[2:]] for each in listeners],
        ]


def _metrics(numbers: list[int], columns: list[list[int]]) -> Rows:
    return {row[0]: list(row) for row in zip(numbers, *columns, strict=True)}


def _changed(before: Mapping[int, Row], now: Mapping[int, Row]) -> list[Row]:
    return [row for number, row in now.items() if before.get(number) != row]


def _reasons(reasons: Mapping[str, int]) -> str:
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{reason} ×{count}" for reason, count in ordered)


def _steady(host: Plain) -> Plain:
    steady = {name: value for name, value in host.items() if name not in STEADY}
    return steady | {
        "silent": int(host["silent_s"] // SILENT_STEP_S),
        "behind": math.ceil(host.get("behind_s", 0) / SILENT_STEP_S),
    }


def _view(options: ViewOptions) -> Plain:
    return {name: getattr(options, name) for name in options.__slots__}
