"""UDP flows that programs count in an array which user space maps: what all ways have in common."""

from __future__ import annotations

import math
import time
from abc import abstractmethod
from typing import ClassVar, TypeVar

import numpy as np

from connscope.config import Config
from connscope.kernel import BpfObject, MappedArray
from connscope.kernel.resource import Resource
from connscope.row.columns import ROW, Rows
from connscope.row.words import Group, Kind, Tier

__all__ = ("BLOCK_SLOTS", "LIVE", "NS_PER_S", "RETIRED", "FlowTable")

FLOW = np.dtype(
    [
        ("row", ROW),
        ("last_clock", np.uint64),
        ("generation", np.uint32),
        ("state", np.uint8),
        ("has_failed", np.uint8),
        ("has_guesses", np.uint8),
        ("reserved", np.uint8),
    ]
)
"""``struct udp_flow`` of udp_maps.bpf.h."""

TOTALS = np.dtype([(name, np.uint64) for name in ("begun", "freed", "dropped", "closed")])
BLOCK = np.dtype(np.uint64)

LIVE, RETIRED = 1, 2
"""Of ``enum flow_state``."""

BLOCK_SLOTS = 256
"""Slots that share a mark in ``flow_blocks``."""

NS_PER_S = 1_000_000_000
SWEEP_S = 2.0
"""Ends of idle flows are looked for so often: a walk of the empty table takes a millisecond."""
PROMPT_S = 0.1
"""And so soon after a socket with several flows was closed."""

UNFINISHED = -1
"""In place of a number of closed sockets: not all of their flows could be told."""

Held = TypeVar("Held", bound=Resource)


class FlowTable(Resource):
    """The flows that are open, in the kernel's memory; the ring tells of their beginnings and ends.

    Attributes:
        tier: of the rows of looks.
        way: the name of the object that counts calls.
    """

    tier: ClassVar[Tier]

    def __init__(self) -> None:
        self._held: list[Resource] = []
        self._swept_s = -math.inf
        self._closed_swept = self._missed = 0
        self.way = ""

    def _hold(self, resource: Held) -> Held:
        """Closes it with the table, before what was held earlier."""
        self._held.append(resource)
        return resource

    def _size(self, flows: BpfObject, config: Config) -> None:
        """Makes room for as many flows as configured, in an object that is not loaded yet."""
        slots = config.udp_flows_max
        flows.set(
            idle_ns=round(config.udp_idle_s * NS_PER_S),
            idle_both_ns=round(config.udp_idle_both_s * NS_PER_S),
            slots_max=slots,
        )
        for name in ("flow_slots", "flows", "free_slots", "retired_flows"):
            flows.maps[name].resize(slots)
        flows.maps["flow_blocks"].resize((slots + BLOCK_SLOTS - 1) // BLOCK_SLOTS)

    def _map_memory(self, flows: BpfObject) -> None:
        """Of an object that is loaded."""
        self._slots = flows.maps["flows"].max_entries
        self._closed = flows.maps["closed_sockets"]
        self._flows = self._hold(MappedArray(flows.maps["flows"], FLOW))
        self._blocks = self._hold(MappedArray(flows.maps["flow_blocks"], BLOCK))
        self._block_count = flows.maps["flow_blocks"].max_entries
        self._totals = self._hold(MappedArray(flows.maps["udp_totals"], TOTALS))

    def _total(self, name: str) -> int:
        return int(self._totals.copy(1)[name][0])

    @property
    def dropped(self) -> int:
        """How many datagrams are in no flow, because there was no room for another one, or because
        the kernel missed to run a program for their call."""
        return self._total("dropped") + self._missed

    @property
    def open_flows(self) -> int:
        """How many slots are taken."""
        totals = self._totals.copy(1)[0]
        return int(totals["begun"]) - int(totals["freed"])

    def due_in_s(self) -> float:
        """Seconds until `sweep` has something to do; infinite if there is no flow at all."""
        has_closed = self._total("closed") != self._closed_swept
        if not self.open_flows and not has_closed:
            return math.inf
        period_s = PROMPT_S if has_closed else SWEEP_S
        return max(0.0, self._swept_s + period_s - time.monotonic())

    def sweep(self) -> None:
        """Ends flows that are idle, and those of sockets that were closed; the ring tells of them.

        A flow is told as idle in the sweep after the one that found it so. What the ring has no
        room for is told by the next sweep.
        """
        self._swept_s = time.monotonic()
        self._closed_swept = self._total("closed")
        self._missed = self._count_missed()
        before = list(self._closed) if self._closed_swept else []
        self._end_flows(before)
        for cookie, has_flows in zip(before, self._have_flows(before), strict=True):
            if has_flows:
                self._closed_swept = UNFINISHED
            else:
                self._closed.delete(cookie)

    def _have_flows(self, cookies: list[bytes]) -> list[bool]:
        """Of which sockets there still are flows that have not ended."""
        if not cookies:
            return []
        top = self._top()
        live = self._flows.column(top, "state") == LIVE
        ids = self._flows.column(top, "row", "socket_id")[live]
        found: list[bool] = np.isin(np.frombuffer(b"".join(cookies), np.uint64), ids).tolist()
        return found

    @abstractmethod
    def _count_missed(self) -> int:
        """How many calls the kernel has missed so far."""

    @abstractmethod
    def _end_flows(self, closed: list[bytes]) -> None:
        """Lets the kernel end those whose time has come.

        Args:
            closed: the cookies of sockets with several flows that were closed.
        """

    def look(self) -> Rows:
        """The flows that are open now, as rows of kind ``snapshot``."""
        top = self._top()
        if not top:
            return np.empty(0, ROW)
        found, again = self._flows.copy(top), self._flows.copy(top)
        whole = (found["state"] == LIVE) & (found["has_failed"] == 0)
        whole &= (again["state"] == LIVE) & (found["generation"] == again["generation"])
        opaque = np.ascontiguousarray(again["row"][whole])
        rows: Rows = opaque.view(ROW)
        rows["kind"], rows["tier"] = Kind.SNAPSHOT, self.tier
        rows["time_ns"] = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        rows["error"] = rows["failure"] = 0
        guessed = again["has_guesses"][whole] > 0
        rows["exact"][guessed] &= ~np.uint16(Group.TRAFFIC)
        return rows

    def _top(self) -> int:
        """No slot from here on was ever used."""
        used = np.flatnonzero(self._blocks.copy(self._block_count))
        return min((int(used[-1]) + 1) * BLOCK_SLOTS, self._slots) if len(used) else 0

    def close(self) -> None:
        """Detaches and unloads everything; a second call does nothing."""
        for resource in reversed(self._held):
            resource.close()
        self._held = []
