"""From CLOCK_BOOTTIME to the time on the wall."""

from __future__ import annotations

import time
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from connscope.row.decimals import padded_column
from connscope.row.text_rows import TextColumn, is_constant

__all__ = ("clock_texts", "rfc3339_columns", "rfc3339_text")

SECOND_NS = 1_000_000_000


def rfc3339_columns(
    times_ns: npt.NDArray[np.uint64], wall_minus_boottime_ns: int
) -> tuple[TextColumn, TextColumn, TextColumn]:
    """RFC 3339 in UTC with nanoseconds: the second and its dot, nine digits, the Z.

    0 is no time; its text is that of some other one. At least one time.
    """
    known = np.where(times_ns, times_ns, times_ns.max()).astype(np.int64)
    seconds, rest = np.divmod(known + wall_minus_boottime_ns, SECOND_NS)
    if is_constant(seconds):
        return _utc_second(int(seconds[0])), padded_column(rest, 9), b"Z"
    distinct, places = np.unique(seconds, return_inverse=True)
    starts = np.array([_utc_second(second) for second in distinct.tolist()])
    second_column = starts[places].view(np.uint8).reshape(len(times_ns), -1)
    return second_column, padded_column(rest, 9), b"Z"


def rfc3339_text(time_ns: int, wall_minus_boottime_ns: int) -> str:
    """RFC 3339 in UTC with nanoseconds."""
    second, rest = divmod(time_ns + wall_minus_boottime_ns, SECOND_NS)
    return f"{_utc_second(second).decode()}{rest:09d}Z"


def clock_texts(times_ns: npt.NDArray[np.uint64], wall_minus_boottime_ns: int) -> list[str]:
    """``HH:MM:SS.mmm`` of the local day, one for each time."""
    milliseconds = (times_ns.astype(np.int64) + wall_minus_boottime_ns) // 1_000_000
    return list(map(_local_millisecond, milliseconds.tolist()))


@lru_cache(4096)
def _utc_second(second: int) -> bytes:
    return time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(second)).encode()


@lru_cache(4096)
def _local_millisecond(millisecond: int) -> str:
    second, rest = divmod(millisecond, 1000)
    return f"{_local_second(second)}.{rest:03d}"


@lru_cache(4096)
def _local_second(second: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(second))
