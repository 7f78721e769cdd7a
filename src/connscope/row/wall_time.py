"""From CLOCK_BOOTTIME to the time on the wall."""

from __future__ import annotations

import time
from functools import lru_cache

import numpy as np
import numpy.typing as npt

__all__ = ("clock_texts", "rfc3339_texts")

SECOND_NS = 1_000_000_000


def rfc3339_texts(times_ns: npt.NDArray[np.uint64], wall_minus_boottime_ns: int) -> list[str]:
    """RFC 3339 in UTC with nanoseconds, one for each time; empty text for 0."""
    seconds, rest = np.divmod(times_ns.astype(np.int64) + wall_minus_boottime_ns, SECOND_NS)
    return [
        f"{_utc_second(second)}.{nanosecond:09d}Z" if boottime else ""
        for boottime, second, nanosecond in zip(
            times_ns.tolist(), seconds.tolist(), rest.tolist(), strict=True
        )
    ]


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
