"""A tracker in a process of its own, as an agent runs it, and what it costs.

python -m bench.rigs.tracker_process TIER LOOK_INTERVAL_S SECONDS
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import NamedTuple

from bench.rigs.machine import memory_kib
from bench.rigs.tracers import tracing_environment
from connscope.config import load_config
from connscope.tracker.tracker import Tracker

__all__ = ("Cost", "start_tracker", "take_cost")

WAIT_S = 1.0


class Cost(NamedTuple):
    """Of the process, from the moment on that the first look was over.

    Attributes:
        share: of one core.
        pss_kib: at the end.
        open: connections and listeners that were open at the end.
        told: rows that were told.
    """

    share: float
    pss_kib: int
    open: int
    told: int


def start_tracker(tier: str, look_interval_s: float, seconds: float) -> subprocess.Popen[str]:
    """Starts one; it ends by itself."""
    return subprocess.Popen(
        [sys.executable, "-m", __name__, tier, str(look_interval_s), str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
        env=tracing_environment(),
    )


def take_cost(process: subprocess.Popen[str]) -> Cost:
    """Waits for its end."""
    said, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"the tracker ended with {process.returncode}")
    return Cost(*json.loads(said))


def main() -> None:
    """Tracks so long, says what it took."""
    tier, interval_s, seconds = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    with Tracker(load_config(tier=tier, look_interval_s=interval_s)) as tracker:
        told = len(tracker.open())
        began_s, began_cpu_s = time.monotonic(), time.process_time()
        end_s = began_s + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            tracker.wait(min(left_s, WAIT_S))
            told += len(tracker.advance())
        share = (time.process_time() - began_cpu_s) / (time.monotonic() - began_s)
        pss_kib = memory_kib(os.getpid(), "smaps_rollup", "Pss")
        sys.stdout.write(json.dumps(Cost(share, pss_kib, len(tracker.table), told)))


if __name__ == "__main__":
    main()
