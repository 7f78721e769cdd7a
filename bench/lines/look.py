"""Looks at many open sockets, against the tools that print them.

The crowd sits in a namespace of its own; ss and psutil run inside of it, because they see no other.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable

from bench.result import Result, spread
from bench.rigs.crowd import Crowd
from bench.rigs.machine import memory_kib
from bench.rigs.tracers import connscope_command, tracing_environment
from connscope.capture.btf.tier import BtfTier
from connscope.config import Config

__all__ = ("measure",)

TURNS = 9
MOST_NS = 1600
RIVALS = ("ss -tinp", "ss -tin", "psutil.net_connections()")
WANTED = (15, 6, 15)
# Without the start of Python, and the import.
PSUTIL = """
import psutil, time
began = time.perf_counter()
psutil.net_connections("tcp")
print(time.perf_counter() - began)
"""


def measure() -> tuple[Result, ...]:
    """Sixteen thousand sockets, a hundred thousand, and the command that prints them."""
    with Crowd(processes=2, connections=4000) as crowd:
        few_ns, against = _measure_look(crowd)
        printed = _measure_list(crowd)
    with Crowd(processes=7, connections=7150) as crowd:
        return *against, _measure_many(crowd, few_ns), printed


def _look_s(tier: BtfTier) -> float:
    began = time.perf_counter()
    tier.look()
    return time.perf_counter() - began


def _measure_look(crowd: Crowd) -> tuple[float, tuple[Result, ...]]:
    ours, with_owners, plain, python = (list[float]() for _ in range(4))
    with BtfTier(Config()) as tier:
        tier.look()
        for _ in range(TURNS):
            ours.append(_look_s(tier))
            with_owners.append(_run_s(crowd, "ss", "-tinp"))
            plain.append(_run_s(crowd, "ss", "-tin"))
            said = crowd.run(sys.executable, "-c", PSUTIL)
            python.append(float(said))
    with BtfTier(Config(owner_check_interval_s=0)) as tier:
        checked = [_look_s(tier) for _ in range(TURNS)]
    ratios = [_ratios(theirs, ours) for theirs in (with_owners, plain, python)]
    ours_ns, checked_ns = ([took / crowd.sockets * 1e9 for took in run] for run in (ours, checked))
    ns = statistics.median(ours_ns)
    return ns, (
        Result(
            f"look at {crowd.sockets:,} open sockets with owners and TCP details, to columns",
            f"{spread(ours_ns, 0)} ns a socket; {spread(checked_ns, 0)} ns with owners compared "
            f"with the fd tables; faster {_named(spread(found, 1) for found in ratios)}",
            f"<= {MOST_NS} ns a socket; faster {_named(WANTED)}",
            ns <= MOST_NS
            and all(
                statistics.median(found) >= wanted
                for found, wanted in zip(ratios, WANTED, strict=True)
            ),
        ),
    )


def _named(times: Iterable[object]) -> str:
    return ", ".join(f"{much} times than {name}" for much, name in zip(times, RIVALS, strict=True))


def _ratios(theirs: list[float], ours: list[float]) -> list[float]:
    return [slow / fast for slow, fast in zip(theirs, ours, strict=True)]


def _run_s(crowd: Crowd, *command: str) -> float:
    began = time.perf_counter()
    crowd.run(*command)
    return time.perf_counter() - began


def _measure_many(crowd: Crowd, few_ns: float) -> Result:
    with BtfTier(Config()) as tier:
        kept = tier.look()  # so that its memory is not used again
        before_kib = memory_kib(os.getpid(), "status", "RssAnon")
        rows = tier.look()
        grown_kib = memory_kib(os.getpid(), "status", "RssAnon") - before_kib
        grown = grown_kib * 1024 / rows.nbytes
        del kept
        many_ns = [_look_s(tier) / crowd.sockets * 1e9 for _ in range(TURNS)]
    ratio = statistics.median(many_ns) / few_ns
    return Result(
        f"the same at {crowd.sockets:,} sockets",
        f"{spread(many_ns, 0)} ns a socket, {ratio:.2f} of the above; memory {grown:.2f} times the "
        "rows, and the kernel's array of 1.13 times",
        "linear (within 1.5); memory <= 2 times the rows",
        ratio <= 1.5 and grown <= 2,
    )


def _measure_list(crowd: Crowd) -> Result:
    ours, theirs = list[float](), list[float]()
    command = connscope_command("list", "-o", "json")
    for _ in range(TURNS):
        theirs.append(_run_s(crowd, "ss", "-tinp"))
        began = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=tracing_environment())
        ours.append(time.perf_counter() - began)
    ratios = _ratios(theirs, ours)
    return Result(
        f"connscope list -o json of {crowd.sockets:,}, from cold, against ss -tinp",
        f"{spread(ratios)} times faster, {spread(ours)} s against {spread(theirs)} s",
        "faster",
        statistics.median(ratios) > 1,
    )
