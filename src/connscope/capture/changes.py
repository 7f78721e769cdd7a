"""Events for tiers that tell none, or not all: what differs between two looks."""

from __future__ import annotations

import time

import numpy as np

from connscope.capture.tier import CaptureTier
from connscope.row.columns import ROW, Rows
from connscope.row.copying import put_rows, take_rows
from connscope.row.words import Protocol
from connscope.table.inferred import NOT_YET, beginnings, endings
from connscope.table.merge import merge_rows

__all__ = ("LookChanges",)


class LookChanges:
    """Looks every so often and says what opened, closed, listens now or does no more.

    Args:
        tier: open. Kinds that its own events tell are not told by this.
        interval_s: between two looks. What opens and closes in between is not seen.
    """

    def __init__(self, tier: CaptureTier, interval_s: float) -> None:
        self._tier = tier
        self._interval_s = interval_s
        self._before: Rows = self._open_rows()
        self._due_s = time.monotonic() + interval_s

    def due_in_s(self) -> float:
        """Seconds until the next look; 0 if it is due."""
        return max(0.0, self._due_s - time.monotonic())

    def take(self) -> Rows:
        """What changed since the last look, as rows of the time of this one; nothing before it is
        due."""
        if self.due_in_s() > 0:
            return np.empty(0, ROW)
        now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        before, after = self._before, keep_known(self._before, self._open_rows())
        self._before, self._due_s = after, time.monotonic() + self._interval_s
        began = after[~np.isin(after["connection_id"], before["connection_id"])]
        ended = before[~np.isin(before["connection_id"], after["connection_id"])]
        changed = np.concatenate((beginnings(began, now_ns), endings(ended, now_ns)))
        wanted: Rows = changed[~np.isin(changed["kind"], list(self._tier.kinds))]
        return wanted

    def _open_rows(self) -> Rows:
        rows = self._tier.look()
        is_open = (rows["protocol"] == Protocol.TCP) & ~np.isin(rows["state"], NOT_YET)
        open_rows: Rows = rows[is_open]
        return open_rows


def keep_known(before: Rows, after: Rows) -> Rows:
    """The rows of a look, with what the one before it knew of the same connections and it does not.

    A socket that closes while a look reads /proc is still in the files and in no fd table any more:
    it has not lost its owner.
    """
    order = np.argsort(before["connection_id"])
    if not len(order):
        return after
    ids = before["connection_id"][order]
    places = order[np.minimum(np.searchsorted(ids, after["connection_id"]), len(ids) - 1)]
    then = take_rows(before, places)
    forgotten = (then["connection_id"] == after["connection_id"]) & (
        then["known"] & ~after["known"] != 0
    )
    if forgotten.any():
        after = after.copy()
        merged = merge_rows(take_rows(then, forgotten), take_rows(after, forgotten))
        put_rows(after, forgotten, merged)
    return after
