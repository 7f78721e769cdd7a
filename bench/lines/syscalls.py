"""What tracing adds to a system call that has nothing to do with connections: getppid."""

from __future__ import annotations

import statistics

from bench.result import Result, spread
from bench.rigs.network import PrivateNetwork
from bench.rigs.tracers import TraceProgram

__all__ = ("measure",)

TURNS = 9
ROUNDS, CALLS = 40, 20000
NOISE = 0.03
EXACT_ADDS_NS = 120
EXACT = ("--accept-owner", "exact")


def measure() -> tuple[Result, ...]:
    """The fastest loop of nine turns, without tracing, with it, and with exact accept owners."""
    free, plain, exact = list[float](), list[float](), list[float]()
    with PrivateNetwork() as network:
        for _ in range(TURNS):
            free.append(_call_ns(network))
            with TraceProgram():
                plain.append(_call_ns(network))
            with TraceProgram(*EXACT):
                exact.append(_call_ns(network))
    ratios = [traced / alone for traced, alone in zip(plain, free, strict=True)]
    added = [traced - alone for traced, alone in zip(exact, free, strict=True)]
    return (
        Result(
            "getppid with trace",
            f"{spread(ratios)} of none ({statistics.median(free):.0f} ns)",
            f"within noise ({NOISE:.0%})",
            statistics.median(ratios) <= 1 + NOISE,
        ),
        Result(
            "getppid with trace --accept-owner exact",
            f"+{spread(added, 0)} ns",
            f"<= +{EXACT_ADDS_NS} ns",
            statistics.median(added) <= EXACT_ADDS_NS,
        ),
    )


def _call_ns(network: PrivateNetwork) -> float:
    return float(network.run("getppid", ROUNDS, CALLS)["ns_per_call"])
