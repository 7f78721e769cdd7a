"""The clocks, and what tells one boot from the next."""

from __future__ import annotations

import time
from pathlib import Path

__all__ = ("boot_id", "wall_minus_boottime_ns")

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
ROUNDS = 8


def wall_minus_boottime_ns() -> int:
    """CLOCK_REALTIME minus CLOCK_BOOTTIME, from the tightest of several readings."""
    readings = []
    for _ in range(ROUNDS):
        before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        wall = time.clock_gettime_ns(time.CLOCK_REALTIME)
        after = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        readings.append((after - before, wall - (before + after) // 2))
    return min(readings)[1]


def boot_id() -> str:
    """A UUID that is new at each boot."""
    return BOOT_ID.read_text().strip()
