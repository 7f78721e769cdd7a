"""What tiers have in common whose programs write rows into a ring."""

from __future__ import annotations

import time
from typing import ClassVar, TypeVar

import numpy as np

from connscope.capture.broadcasts import Broadcasts
from connscope.capture.tier import BATCH_ROWS, Losses, OpenedTier
from connscope.config import Config
from connscope.kernel import BpfMap, BpfObject, RingBuffer
from connscope.kernel.resource import Resource
from connscope.row.columns import ROW, Rows, lost_row
from connscope.row.words import Kind, Tier

__all__ = ("RingTier",)

Held = TypeVar("Held", bound=Resource)

LOSSES = np.dtype(
    [("rows_lost", np.uint64), ("storage_failed", np.uint64), ("owners_full", np.uint64)]
)
"""``struct capture_losses`` of row.h."""
ONLY_KEY = bytes(4)
FILLING_SHARE = 4


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
        self._ring: RingBuffer | None = None
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
        self._ring = self._hold(RingBuffer(core.maps["rows"], ROW))

    def wait(self, timeout_s: float | None) -> bool:
        """Waits until there are events; False when the time is over."""
        return self._open_ring.wait(timeout_s)

    @property
    def is_filling(self) -> bool:
        """Whether a quarter of the ring is full: 9,000 rows by default, 65 ms at the rate at which
        two processors can make connections."""
        return len(self._open_ring) > self._config.ring_bytes // FILLING_SHARE

    def events(self) -> Rows:
        """The rows since the last call, see `CaptureTier.events`; a lost row comes first."""
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
        counts = np.frombuffer(self.map("losses").get(ONLY_KEY) or b"", LOSSES)
        return Losses(*(int(counts[name].sum()) for name in LOSSES.names or ()))

    def map(self, name: str) -> BpfMap:
        """A map of the core object, for those who look inside: tests, doctor."""
        return self._open_core.maps[name]

    def close(self) -> None:
        """Detaches and unloads everything; a second call does nothing."""
        for part in reversed(self._held):
            part.close()
        self._held = []
        self._core = self._ring = None

    @property
    def _open_core(self) -> BpfObject:
        if self._core is None:
            raise RuntimeError("the tier is not open")
        return self._core

    @property
    def _open_ring(self) -> RingBuffer:
        if self._ring is None:
            raise RuntimeError("the tier is not open")
        return self._ring
