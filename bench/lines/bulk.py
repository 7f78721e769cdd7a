"""A bulk transfer: BPF may run when the connection opens and closes, never when it sends."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
from collections.abc import Mapping, Set
from typing import Any

from bench.result import Result, spread
from bench.rigs.network import PrivateNetwork
from bench.rigs.tracers import TraceProgram
from connscope.kernel.stats import RunStatsSwitch

__all__ = ("measure",)

TURNS = 9
BYTES = 1 << 30
COUNTED_BYTES = (1 << 20, BYTES)
CHUNK = 16384
NOISE = 0.03


def measure() -> tuple[Result, ...]:
    """How often BPF ran for a small and a large transfer; the throughput with and without us."""
    with PrivateNetwork() as network:
        others = set(_run_counts())
        with TraceProgram(), RunStatsSwitch():
            small, large = (_count_runs(network, size, others) for size in COUNTED_BYTES)
        ratios, free_rates = _compare_rates(network)
    calls = large[1] - small[1]
    return (
        Result(
            "bulk transfer: BPF runs for each send or receive",
            f"{(large[0] - small[0]) / calls:.6f}: {large[0]} runs in {large[1]:,} calls, "
            f"{small[0]} in {small[1]:,}",
            "0: runs do not grow with the calls",
            large[0] <= small[0],
        ),
        Result(
            "bulk transfer: throughput with trace",
            f"{spread(ratios)} of none ({statistics.median(free_rates):.1f} GB/s)",
            f"within noise ({NOISE:.0%})",
            statistics.median(ratios) >= 1 - NOISE,
        ),
    )


def _compare_rates(network: PrivateNetwork) -> tuple[list[float], list[float]]:
    ratios, free_rates = [], []
    for _ in range(TURNS):
        free = _rate(network)
        with TraceProgram():
            ratios.append(_rate(network) / free)
        free_rates.append(free)
    return ratios, free_rates


def _rate(network: PrivateNetwork) -> float:
    """GB/s."""
    done = network.run("bulk", BYTES, CHUNK)
    return float(done["bytes"] / done["elapsed_ns"])


def _count_runs(network: PrivateNetwork, size: int, others: Set[int]) -> tuple[int, int]:
    """How often the BPF programs that are not the others' ran, and how many calls were made."""
    before = _run_counts()
    done = network.run("bulk", size, CHUNK)
    runs = sum(
        count - before.get(program, 0)
        for program, count in _run_counts().items()
        if program not in others
    )
    return runs, done["sends"] + done["receives"]


def _run_counts() -> Mapping[int, int]:
    """How often each BPF program of the machine ran, by its id."""
    bpftool = shutil.which("bpftool", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if bpftool is None:
        raise FileNotFoundError("no bpftool here: apt-get install bpftool")
    shown = subprocess.run([bpftool, "prog", "show", "-j"], stdout=subprocess.PIPE, check=True)
    programs: list[dict[str, Any]] = json.loads(shown.stdout)
    return {program["id"]: program.get("run_cnt", 0) for program in programs}
