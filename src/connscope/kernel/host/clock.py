"""The clock of all times here, CLOCK_BOOTTIME, and what turns it into the time of day."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

__all__ = ("asleep_ns", "boot_id", "boottime_ns", "wall_minus_boottime_ns")

ROUNDS = 7  # the narrowest of them is rarely wider than a microsecond


def boottime_ns() -> int:
    """Nanoseconds since the machine booted, time asleep included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def wall_minus_boottime_ns(
    boottime: Callable[[], int] = boottime_ns, wall: Callable[[], int] = time.time_ns
) -> int:
    """What to add to a CLOCK_BOOTTIME time to get nanoseconds since 1970.

    The wall clock is read between two readings of the other, and of several tries the one with the
    least time between them counts: nobody was in between. Another value once the clock was set.

    Args:
        boottime: reads CLOCK_BOOTTIME.
        wall: reads CLOCK_REALTIME.
    """
    return _ahead_ns(wall, boottime)


def asleep_ns() -> int:
    """How long the machine has slept since it booted: CLOCK_BOOTTIME counts that, CLOCK_MONOTONIC
    does not."""
    return max(0, _ahead_ns(boottime_ns, time.monotonic_ns))


def _ahead_ns(one: Callable[[], int], other: Callable[[], int]) -> int:
    tries = []
    for _ in range(ROUNDS):
        before, now, after = other(), one(), other()
        tries.append((after - before, now - (before + after) // 2))
    return min(tries)[1]


def boot_id(path: Path = Path("/proc/sys/kernel/random/boot_id")) -> str:
    """The kernel's name for this boot; times of two boots can not be compared."""
    return path.read_text().strip()
