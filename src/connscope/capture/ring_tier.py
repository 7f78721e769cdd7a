"""What tiers have in common whose programs write rows into a ring."""

from __future__ import annotations

import math
import time
from typing import ClassVar, Protocol, TypeVar

import numpy as np

from connscope.capture.broadcasts import Broadcasts
from connscope.capture.tier import BATCH_ROWS, Losses, OpenedTier
from connscope.capture.udp_flows import FlowTable
from connscope.config import Config
from connscope.kernel import BpfMap, BpfObject, MappedArray, RingBuffer
from connscope.kernel.resource import Resource
from connscope.row.columns import ROW, Rows, lost_row
from connscope.row.words import Kind, Tier

__all__ = ("FILLING_SHARE", "RingTier", "RowSource")

Held = TypeVar("Held", bound=Resource)

LOSSES = np.dtype(
    [("rows_lost", np.uint64), ("storage_failed", np.uint64), ("owners_full", np.uint64)]
)
"""``struct capture_losses`` of row.h."""
FILLING_SHARE = 4
FLOWS_CHECK_S = 1.0
"""So often somebody who waits looks whether there are UDP flows, if they are counted."""


class RowSource(Protocol):
    """Where the rows of the programs come out."""

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits until there is something to read; False when the time is over."""

    def read(self, limit: int = ...) -> Rows:
        """Takes at most so many rows out, in order."""

    def __len__(self) -> int:
        """How many bytes are waiting."""


class RingTier(OpenedTier):
    """Holds the core object, the ring and all that hangs on them, and reads the ring.

    Args:
        config: `ring_bytes`, `udp`.

    Attributes:
        tier: of all rows.
        kinds: what `events` can tell.
    """

    tier: ClassVar[Tier]
    kinds: frozenset[Kind] = frozenset(Kind) - {Kind.IDLE, Kind.SNAPSHOT}

    def __init__(self, config: Config) -> None:
        self._config = config
        self._held: list[Resource] = []
        self._core: BpfObject | None = None
        self._ring: RowSource | None = None
        self._losses: MappedArray | None = None
        self._udp: FlowTable | None = None
        self._broadcasts = Broadcasts()
        self._lost_told = 0

    def _hold(self, resource: Held) -> Held:
        """Closes it with the tier, before what was held earlier."""
        self._held.append(resource)
        return resource

    def _load_core(self, core: BpfObject) -> None:
        """With a ring as large as configured; what else is to be set is set already."""
        core.maps["rows"].resize(self._config.ring_bytes)
        core.load()
        self._losses = self._hold(MappedArray(core.maps["losses"], LOSSES))
        self._ring = self._open_source(core)

    def _open_source(self, core: BpfObject) -> RowSource:
        return self._hold(RingBuffer(core.maps["rows"], ROW))

    def _begin_udp(self, flows: FlowTable) -> None:
        """UDP flows are counted from now on."""
        self._udp = self._hold(flows)
        self.kinds = self.kinds | {Kind.IDLE}

    @property
    def udp_way(self) -> str:
        """The object that counts UDP calls; empty if none does."""
        return self._udp.way if self._udp else ""

    def _with_flows(self, rows: Rows) -> Rows:
        """A look, with the UDP flows that are open, if they are counted."""
        if not self._udp:
            return rows
        flows = self._udp.look()
        self._broadcasts.mark(flows)
        return np.concatenate((rows, flows))

    def wait(self, timeout_s: float | None) -> bool:
        """Waits until there are events; False when the time is over."""
        ring, udp = self._open_ring, self._udp
        if not udp:
            return ring.wait(timeout_s)
        end_s = time.monotonic() + (math.inf if timeout_s is None else timeout_s)
        while True:
            patience_s = min(end_s - time.monotonic(), udp.due_in_s(), FLOWS_CHECK_S)
            if ring.wait(max(0.0, patience_s)):
                return True
            if udp.due_in_s() <= 0:
                udp.sweep()
            elif time.monotonic() >= end_s:
                return False

    @property
    def is_filling(self) -> bool:
        """Whether a quarter of the ring is full: 9,000 rows by default, 65 ms at the rate at which
        two processors can make connections."""
        return len(self._open_ring) > self._config.ring_bytes // FILLING_SHARE

    def events(self) -> Rows:
        """The rows since the last call, see `CaptureTier.events`; a lost row comes first."""
        if self._udp and self._udp.due_in_s() <= 0:
            self._udp.sweep()
        rows = self._open_ring.read(BATCH_ROWS)
        rows["tier"] = self.tier
        if self._config.udp:
            self._broadcasts.mark(rows)
        lost = self._rows_lost()
        if lost > self._lost_told:
            now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            missing = lost_row(lost - self._lost_told, now_ns, self.tier)
            rows = np.concatenate((missing, rows))
            self._lost_told = lost
        return rows

    def _rows_lost(self) -> int:
        """How many so far; asked with each batch."""
        return self.losses().rows

    def losses(self) -> Losses:
        """What the programs counted as missing so far."""
        if self._losses is None:
            raise RuntimeError("the tier is not open")
        rows, sockets, owners = self._losses.copy(1)[0].tolist()
        return Losses(rows, sockets, owners, self._udp.dropped if self._udp else 0)

    def map(self, name: str) -> BpfMap:
        """A map of the core object, for those who look inside: tests, doctor."""
        return self._open_core.maps[name]

    def close(self) -> None:
        """Detaches and unloads everything; a second call does nothing."""
        for part in reversed(self._held):
            part.close()
        self._held = []
        self._core = self._ring = self._losses = self._udp = None

    @property
    def _open_core(self) -> BpfObject:
        if self._core is None:
            raise RuntimeError("the tier is not open")
        return self._core

    @property
    def _open_ring(self) -> RowSource:
        if self._ring is None:
            raise RuntimeError("the tier is not open")
        return self._ring
