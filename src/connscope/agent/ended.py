"""What closed or failed since the last report."""

from __future__ import annotations

import numpy as np

from connscope.row.columns import ROW, Rows
from connscope.row.words import Kind

__all__ = ("Ended",)


class Ended:
    """Connections that are over, until they are reported; of too many the oldest give way.

    Args:
        rows_max: how many wait.

    Attributes:
        dropped: how many gave way.
    """

    def __init__(self, rows_max: int) -> None:
        self._rows_max = rows_max
        self._parts = list[Rows]()
        self._count = 0
        self.dropped = 0

    def add(self, told: Rows) -> None:
        """Keeps those of the rows that tell of an end."""
        ends = (told["kind"] == Kind.CLOSED) | (told["kind"] == Kind.FAILED)
        ends |= told["kind"] == Kind.IDLE
        part: Rows = told.compress(ends)
        if not len(part):
            return
        self._parts.append(part)
        self._count += len(part)
        if self._count > 2 * self._rows_max:  # not each time: it copies all of them
            self._parts = [self.take()]
            self._count = len(self._parts[0])

    def take(self) -> Rows:
        """All that wait, in their order; then none do."""
        rows: Rows = np.concatenate((np.empty(0, ROW), *self._parts))
        self.dropped += max(0, len(rows) - self._rows_max)
        self._parts, self._count = [], 0
        return rows[-self._rows_max :]
