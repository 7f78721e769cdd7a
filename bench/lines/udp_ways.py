"""What each way to count UDP flows costs, in one virtual machine.

The machine's own kernel may allow one of them only. In the guest all is slower, and not all by the
same factor; what a way costs beside another one is what this shows. The one that can be had outside
too says how far to believe it (`bench udp`).
"""

from __future__ import annotations

import statistics

from bench.result import Result, spread
from bench.rigs.udp_guest import FEXIT, KPROBE, TRACEPOINTS, TURNS, WAYS
from bench.rigs.virtual_machine import run_in_guest

__all__ = ("measure",)

KERNEL = "6.x"
"""All three ways can be had there."""

REQUEST_RATE = 0.95
TCP_TIME = 1.03
NAMES = {FEXIT: "fexit", TRACEPOINTS: "tracepoints", KPROBE: "kprobes"}
LOOPS = {
    "connected, two": "connected",
    "named, two": "sendto and recvfrom",
    "connected": "in one process connected",
    "named": "sendto and recvfrom",
}

REQUESTS = ("connected, two", "named, two")
"""Those that the target is for."""


def measure() -> tuple[Result, ...]:
    """Boots once; the medians of all turns, ratios within a turn."""
    release, found = run_in_guest(KERNEL, "bench.rigs.udp_guest")
    runs = {(each["turn"], each["run"]): each for each in found}

    def ratios(way: str, loop: str) -> list[float]:
        return [runs[turn, WAYS[way]][loop] / runs[turn, way][loop] for turn in range(TURNS)]

    results = list[Result]()
    for way, name in NAMES.items():
        rates = {loop: ratios(way, loop) for loop in LOOPS}
        times = [1 / each for each in ratios(way, "tcp")]
        said = ", ".join(f"{LOOPS[loop]} {spread(each, 3)}" for loop, each in rates.items())
        medians = [statistics.median(rates[loop]) for loop in REQUESTS]
        results += [
            Result(
                f"UDP by {name}, request and response: rate ({release}, emulated)",
                f"{said} of without",
                f">= {REQUEST_RATE}",
                min(medians) >= REQUEST_RATE,
            ),
            Result(
                f"the same: time of TCP send and receive of 64 bytes ({name})",
                f"{spread(times, 3)} of without",
                f"<= {TCP_TIME}",
                statistics.median(times) <= TCP_TIME,
            ),
        ]
    return tuple(results)
