"""How soon the first event is out after a cold start, and what memory many events take."""

from __future__ import annotations

import os
import statistics
import subprocess
import time

from bench.result import Result, spread
from bench.rigs.machine import memory_kib
from bench.rigs.network import PrivateNetwork
from bench.rigs.tracers import TraceProgram, connscope_command, tracing_environment

__all__ = ("measure",)

TURNS = 9
FIRST_EVENT_S = 0.5
EVENTS = 100_000
ANONYMOUS_KIB, RING_KIB = 40 << 10, 8 << 10
PSS_KIB = (45 << 10) + RING_KIB
TRAFFIC_MS = 50_000  # longer than all turns
ROWS_OF_CONNECTION = 4


def measure() -> tuple[Result, ...]:
    """Both."""
    return _measure_start(), _measure_memory()


def _measure_start() -> Result:
    with PrivateNetwork() as network:
        traffic = network.start("churn", "-t", TRAFFIC_MS, "-u", 2000)
        try:
            times_s = [_first_event_s() for _ in range(TURNS)]
        finally:
            traffic.kill()
            traffic.communicate()
    return Result(
        "cold start of trace to its first event, connections being made all the time",
        f"{spread(times_s)} s",
        f"< {FIRST_EVENT_S} s",
        statistics.median(times_s) < FIRST_EVENT_S,
    )


def _first_event_s() -> float:
    """From the start of the process until its first line can be read."""
    began = time.monotonic()
    with subprocess.Popen(
        connscope_command("trace", "-o", "json", "--duration", "10"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=tracing_environment(),
    ) as process:
        line = process.stdout.readline() if process.stdout else b""
        took_s = time.monotonic() - began
        process.kill()
    if not line:
        raise RuntimeError("trace ended without an event")
    return took_s


def _measure_memory() -> Result:
    connections = EVENTS // ROWS_OF_CONNECTION // (os.cpu_count() or 1) + 1
    with PrivateNetwork() as network, TraceProgram() as program:
        network.run("churn", "-n", connections, "-w", os.cpu_count() or 1)
        program.settle()
        anonymous = memory_kib(program.pid, "status", "RssAnon")
        pss = memory_kib(program.pid, "smaps_rollup", "Pss")
        program.stop()
        shown = program.summary().rows
    return Result(
        f"memory of trace after {shown:,} events, default ring of {RING_KIB >> 10} MiB",
        f"anonymous {anonymous / 1024:.1f} MiB, PSS {pss / 1024:.1f} MiB with the ring",
        f"anonymous <= {ANONYMOUS_KIB >> 10} MiB, PSS <= {PSS_KIB >> 10} MiB with the ring",
        shown >= EVENTS and anonymous <= ANONYMOUS_KIB and pss <= PSS_KIB,
    )
