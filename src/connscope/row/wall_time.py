"""From CLOCK_BOOTTIME to the time on the wall."""

from __future__ import annotations

import time
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from connscope.row.text_rows import TextColumn, is_constant, padded_column, repeated_column

__all__ = ("clock_texts", "rfc3339_column")

SECOND_NS = 1_000_000_000
NANOSECOND_BYTES = 10  # nine digits and the Z


def rfc3339_column(times_ns: npt.NDArray[np.uint64], wall_minus_boottime_ns: int) -> TextColumn:
    """RFC 3339 in UTC with nanoseconds, one for each time; nothing for 0. At least one time."""
    if len(times_ns) > 1 and is_constant(times_ns):
        (once,) = rfc3339_column(times_ns[:1], wall_minus_boottime_ns)
        return repeated_column(once.tobytes(), len(times_ns))
    seconds, rest = np.divmod(times_ns.astype(np.int64) + wall_minus_boottime_ns, SECOND_NS)
    distinct, places = np.unique(seconds, return_inverse=True)
    starts = np.array([f"{_utc_second(second)}.".encode() for second in distinct.tolist()])
    column = np.empty((len(times_ns), starts.itemsize + NANOSECOND_BYTES), np.uint8)
    column[:, :-NANOSECOND_BYTES] = starts[places].view(np.uint8).reshape(len(times_ns), -1)
    column[:, -NANOSECOND_BYTES:-1] = padded_column(rest, 9)
    column[:, -1] = ord("Z")
    column[times_ns == 0] = 0
    return column


def clock_texts(times_ns: npt.NDArray[np.uint64], wall_minus_boottime_ns: int) -> list[str]:
    """``HH:MM:SS.mmm`` of the local day, one for each time."""
    milliseconds = (times_ns.astype(np.int64) + wall_minus_boottime_ns) // 1_000_000
    seconds, rest = np.divmod(milliseconds, 1000)
    return [
        f"{_local_second(second)}.{millisecond:03d}"
        for second, millisecond in zip(seconds.tolist(), rest.tolist(), strict=True)
    ]


@lru_cache(4096)
def _utc_second(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


@lru_cache(4096)
def _local_second(second: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(second))
