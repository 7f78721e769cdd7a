"""The audit again and again, while the tier captures."""

from __future__ import annotations

import time
from collections.abc import Iterator

from connscope.capture.tier import BATCH_ROWS, CaptureTier
from connscope.tracker.audit import Audit, Report

__all__ = ("watch",)

INTERVAL_S = 1.0
TRIES = 3


def watch(tier: CaptureTier, drain_interval_s: float) -> Iterator[Report]:
    """A report each second, without an end.

    Where there are so many namespaces that reading them takes long, some show the edges of before.

    Args:
        tier: open.
        drain_interval_s: so often the ring is emptied at least.
    """
    audit = Audit(tier, lambda _: None)
    audit.begin()
    due_s = time.monotonic()
    while True:
        due_s = max(due_s + INTERVAL_S, time.monotonic())
        while (left_s := due_s - time.monotonic()) > 0:
            if tier.wait(left_s) and audit.read() < BATCH_ROWS:
                time.sleep(max(0.0, min(drain_interval_s, due_s - time.monotonic())))
        if audit.due_in_s() < INTERVAL_S / 2:  # it counts from the end of the last one
            audit.settle(TRIES)
        yield audit.report()
