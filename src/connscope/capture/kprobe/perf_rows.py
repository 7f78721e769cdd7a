"""Rows out of the perf buffers of all CPUs, in the order in which they were made."""

from __future__ import annotations

import time

import numpy as np

from connscope.kernel import PerfBuffer
from connscope.kernel.host.clock import boottime_ns
from connscope.kernel.resource import Resource
from connscope.row.columns import ROW, Rows

__all__ = ("HOLD_BACK_S", "PerfRows", "merged_until")

HOLD_BACK_S = 0.002
"""So long after a row has got its time it may not be in its buffer yet. A program takes
microseconds, a processor that stands still in between more."""


class PerfRows(Resource):
    """Reads like a ring buffer: everything that was made before the call, by time.

    Each CPU has a buffer of its own, so a row that was made later on one may be read before an
    earlier one of another. What is younger than the call waits for the next.

    Args:
        buffer: of rows; closed with this.
    """

    def __init__(self, buffer: PerfBuffer) -> None:
        self._buffer = buffer
        self._merged: Rows = np.empty(0, ROW)
        self._younger: Rows = np.empty(0, ROW)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits until there is something to read; False when the time is over."""
        return bool(len(self._merged) or len(self._younger)) or self._buffer.wait(timeout_s)

    def __len__(self) -> int:
        """How many bytes are waiting."""
        return len(self._buffer) + self._merged.nbytes + self._younger.nbytes

    @property
    def fullness(self) -> float:
        """How much of a CPU's buffer is taken, of the one that has the least room left; 0 to 1."""
        return self._buffer.fullness

    def read(self, limit: int = 8192) -> Rows:
        """Takes at most `limit` rows out, all made before the call or an earlier one.

        Returns:
            The rows in the order of their ``time_ns``; of one time, as their CPU wrote them.
        """
        if len(self._merged) < limit:
            self._collect(boottime_ns())
        found, self._merged = self._merged[:limit], self._merged[limit:]
        return found

    def _collect(self, until_ns: int) -> None:
        pieces = [self._merged, self._younger, *self._buffer.read()]
        newest_ns = max((int(piece["time_ns"].max()) for piece in pieces if len(piece)), default=0)
        if newest_ns > until_ns - HOLD_BACK_S * 1e9:
            time.sleep(HOLD_BACK_S)
            pieces += self._buffer.read()
        self._merged, self._younger = merged_until(pieces, until_ns)

    def close(self) -> None:
        """Frees the buffers; a second call does nothing."""
        self._buffer.close()


def merged_until(pieces: list[Rows], until_ns: int) -> tuple[Rows, Rows]:
    """Rows from several places as one sequence by time.

    Args:
        pieces: each in the order in which it was written.
        until_ns: what is later belongs to the second part.

    Returns:
        The rows until then, and those after, both by ``time_ns``.
    """
    rows = np.concatenate(pieces)
    ordered: Rows = rows[np.argsort(rows["time_ns"], kind="stable")]
    at = int(np.searchsorted(ordered["time_ns"], until_ns, side="right"))
    return ordered[:at], ordered[at:]
