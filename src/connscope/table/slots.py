"""The memory of a table of connections: one slot for each, as columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.row.columns import ROW, Rows
from connscope.row.copying import put_rows, take_rows

__all__ = ("Slots",)

SLOTS_MIN = 1024
Numbers = npt.NDArray[np.int64]


class Slots:
    """Rows that keep their place while they are used.

    Attributes:
        used: which slots hold a row.
        told: whose opening was told.
        seen: the number of the last look that showed it.
        added: the number of the look after which it came.
        missed: how many looks in a row did not show it.
        ids: the id by which the tier of now names it; 0 if that is not known.
    """

    def __init__(self) -> None:
        self._free = np.empty(0, np.int64)
        self._free_count = 0
        self._rows = np.empty(0, ROW)
        self.used, self.told = np.zeros(0, np.bool_), np.zeros(0, np.bool_)
        self.seen, self.added = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self.missed, self.ids = np.zeros(0, np.uint8), np.zeros(0, np.uint64)
        self._grow(SLOTS_MIN)

    def __len__(self) -> int:
        return len(self._rows) - self._free_count

    def _grow(self, size: int) -> None:
        before = len(self._rows)
        for name in ("_rows", "used", "told", "seen", "added", "missed", "ids"):
            column = getattr(self, name)
            larger = np.zeros(size, column.dtype)
            larger[:before] = column
            setattr(self, name, larger)
        free = np.arange(size - 1, before - 1, -1, dtype=np.int64)
        self._free = np.concatenate(
            (free, self._free[: self._free_count], np.zeros(before, np.int64))
        )
        self._free_count += size - before

    def column(self, name: str) -> npt.NDArray[Any]:
        """A column of all rows, also of unused slots; it may be written to."""
        return self._rows[name]

    def rows(self) -> Rows:
        """The rows of all used slots, a copy."""
        return self.take(np.flatnonzero(self.used))

    def take(self, slots: Numbers) -> Rows:
        """The rows of those slots, a copy."""
        return take_rows(self._rows, slots)

    def put(self, slots: Numbers, rows: Rows) -> None:
        """Replaces the rows of those slots."""
        put_rows(self._rows, slots, rows)

    def add(self, rows: Rows) -> Numbers:
        """Gives each row a slot, whose other columns are not set; the slots, shape (n,)."""
        count = len(rows)
        if count > self._free_count:
            needed = len(self._rows) + count - self._free_count
            self._grow(needed + needed // 4)
        self._free_count -= count
        slots = self._free[self._free_count : self._free_count + count].copy()
        self.put(slots, rows)
        self.used[slots], self.missed[slots] = True, 0
        return slots

    def free(self, slots: Numbers) -> None:
        """Takes the slots back, each once."""
        self.used[slots] = False
        self._free[self._free_count : self._free_count + len(slots)] = slots
        self._free_count += len(slots)
        size = len(self._rows)
        if size > SLOTS_MIN and len(self) * 8 < size:
            self._shrink_if_empty_above(size // 4)

    def _shrink_if_empty_above(self, size: int) -> None:
        """Gives memory back to the system; slots that are used stay where they are."""
        if self.used[size:].any():
            return
        for name in ("_rows", "used", "told", "seen", "added", "missed", "ids"):
            setattr(self, name, getattr(self, name)[:size].copy())
        free = self._free[: self._free_count]
        kept = free[free < size]
        self._free = np.concatenate((kept, np.zeros(size - len(kept), np.int64)))
        self._free_count = len(kept)
