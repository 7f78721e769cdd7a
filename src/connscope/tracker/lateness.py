"""Events that come long after later ones: something between the kernel and us is not in order."""

from __future__ import annotations

import numpy as np

from connscope.row.columns import Rows

__all__ = ("Lateness",)

LATE_NS = 1_000_000_000


class Lateness:
    """Follows the times of events. Those of two processors may be some microseconds out of order;
    a second is not that.

    Attributes:
        events: how many were late so far.
    """

    def __init__(self) -> None:
        self._newest_ns = 0
        self.events = 0

    def hear(self, events: Rows, now_ns: int) -> int:
        """How many of these are late; a time that has not come yet is taken for now."""
        times_ns = np.minimum(events["time_ns"], now_ns).astype(np.int64)
        before_ns = np.maximum.accumulate(np.concatenate(((self._newest_ns,), times_ns)))
        self._newest_ns = int(before_ns[-1])
        late = int((times_ns < before_ns[:-1] - LATE_NS).sum())
        self.events += late
        return late
