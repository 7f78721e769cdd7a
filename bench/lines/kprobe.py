"""The kprobe tier beside libbpf-tools' tcptracer: same probes, same traffic, one virtual machine.

The machine's own kernel may have no kprobes, so a guest is booted that QEMU emulates. All is slower
there, and not all by the same factor: fixed pieces of work are timed outside and inside. Start-up
is left out: CPU is counted from the moment on that a tracer is ready.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

from bench.result import Result, spread
from bench.rigs.kprobe_guest import JSON, NONE, OURS, RIVAL, SITTERS, SLOWED, SLOWED_S
from bench.rigs.sitters import sitting
from bench.rigs.virtual_machine import run_in_guest
from bench.rigs.work import work_s
from connscope.capture.kprobe.watchers import threads_in_accept
from connscope.capture.netlink.tier import NetlinkTier
from connscope.config import Config

__all__ = ("measure",)

KERNEL = "6.1"
CPU_RATIO = 1.5
CONNECTIONS_MAX, GUESS_S = 300, 2.0
OPEN_S = 2.0
ROWS_OF_CONNECTION = 5  # opened and closed at both ends, accepted at one

Found = Mapping[str, Any]


def measure() -> tuple[Result, ...]:
    """Boots once; what both told together, what each costs, the guess, a crowd in accept()."""
    outside = work_s()
    release, found = run_in_guest(KERNEL, "bench.rigs.kprobe_guest")
    factors = {
        name: min(each[name] for each in _of(found, "work")) / outside_s
        for name, outside_s in outside.items()
    }
    return (
        _compare_seen(_of(found, "together")[0], release),
        _compare_user(found, factors),
        _compare_cpu(found),
        _compare_paced(found),
        _compare_kernel(found),
        _compare_rates(found),
        _judge_guess(_of(found, "guess"), factors["python"]),
        _judge_open(_of(found, "open")[0]["seconds"], _of(found, "scan")[0]["seconds"]),
    )


def _of(found: list[dict[str, Any]], what: str) -> list[dict[str, Any]]:
    return [each for each in found if each["what"] == what]


def _runs(found: list[dict[str, Any]], tracer: str, pace: str) -> list[dict[str, Any]]:
    runs = _of(found, "run")
    return [each for each in runs if (each["tracer"], each["pace"]) == (tracer, pace)]


def _compare_seen(together: Found, where: str) -> Result:
    return Result(
        f"kprobe tier and tcptracer at once on the same connections ({where})",
        f"of {together['theirs']:,} events that tcptracer told we lack "
        f"{together['only_theirs']:,}, it lacks {together['only_ours']:,} of ours; opened: we saw "
        f"{together['opened_seen']:,} of {together['opened']:,}; counted as lost "
        f"{together['lost']:,}, by it {together['lost_by_rival']:,}",
        "none that it has is missing",
        not together["only_theirs"] and together["opened_seen"] == together["opened"],
    )


def _ratios(
    found: list[dict[str, Any]], names: tuple[str, str], pace: str, cost: Callable[[Found], float]
) -> tuple[list[float], list[float], list[float]]:
    """Of one to another, turn by turn; and of each."""
    one, other = ([cost(run) for run in _runs(found, name, pace)] for name in names)
    return [this / that for this, that in zip(one, other, strict=True)], one, other


def _user_us(run: Found) -> float:
    return float(run["user_s"] / run["connections"]) * 1e6


def _cpu_us(run: Found) -> float:
    return float((run["user_s"] + run["system_s"]) / run["connections"]) * 1e6


def _bpf_us(run: Found) -> float:
    return float(run["bpf_ns"] / run["connections"]) / 1e3


def _rate(run: Found) -> float:
    return float(run["connections"] / run["elapsed_ns"]) * 1e9


def _compare_user(found: list[dict[str, Any]], factors: dict[str, float]) -> Result:
    """With the pace of `trace` slowed down as the machine is, and as it is."""
    ratios, ours, theirs = _ratios(found, (SLOWED, RIVAL), "flat out", _user_us)
    hurried, _, _ = _ratios(found, (OURS, RIVAL), "flat out", _user_us)
    as_json, _, _ = _ratios(found, (JSON, RIVAL), "flat out", _user_us)
    return Result(
        "the same one after the other, flat out: user CPU of `trace` for each connection",
        f"{spread(ratios)} of tcptracer's, {spread(ours, 0)} µs against {spread(theirs, 0)} µs "
        f"there, where trace reads each {SLOWED_S:.0f} s; {spread(as_json)} of it with `-o json`, "
        f"40 columns instead of 14; {spread(hurried)} where it reads each 50 ms: the guest is "
        f"{factors['python']:.0f} times slower at a Python loop, {factors['rows']:.0f} at making "
        f"rows JSON, {factors['c']:.0f} at awk's printing, and its time is not. "
        f"{ROWS_OF_CONNECTION} lines against 4",
        f"<= {CPU_RATIO} of tcptracer's",
        statistics.median(ratios) <= CPU_RATIO,
    )


def _compare_cpu(found: list[dict[str, Any]]) -> Result:
    ratios, ours, theirs = _ratios(found, (SLOWED, RIVAL), "flat out", _cpu_us)
    hurried, _, _ = _ratios(found, (OURS, RIVAL), "flat out", _cpu_us)
    return Result(
        "the same: user and system CPU for each connection",
        f"{spread(ratios)} of tcptracer's, {spread(ours, 0)} µs against {spread(theirs, 0)} µs "
        f"there; {spread(hurried)} of it where trace reads each 50 ms",
        f"<= {CPU_RATIO} of tcptracer's",
        statistics.median(ratios) <= CPU_RATIO,
    )


def _compare_paced(found: list[dict[str, Any]]) -> Result:
    """Here the traffic keeps to the clock too, so trace reads each 50 ms as it does."""
    ratios, ours, theirs = _ratios(found, (OURS, RIVAL), "paced", _cpu_us)
    rate = statistics.median(_rate(run) for run in _runs(found, OURS, "paced"))
    return Result(
        f"the same with rests, {rate:,.0f} connections/s: user and system CPU for each connection",
        f"{spread(ratios)} of tcptracer's, {spread(ours, 0)} µs against {spread(theirs, 0)} µs "
        "there",
        f"<= {CPU_RATIO} of tcptracer's",
        statistics.median(ratios) <= CPU_RATIO,
    )


def _compare_kernel(found: list[dict[str, Any]]) -> Result:
    ratios, ours, theirs = _ratios(found, (OURS, RIVAL), "flat out", _bpf_us)
    return Result(
        "the same: time in BPF programs for each connection",
        f"{spread(ratios)} of tcptracer's; {spread(ours, 0)} µs against {spread(theirs, 0)} µs "
        "there",
        f"<= {CPU_RATIO} of tcptracer's",
        statistics.median(ratios) <= CPU_RATIO,
    )


def _compare_rates(found: list[dict[str, Any]]) -> Result:
    ours, theirs = (_ratios(found, (name, NONE), "flat out", _rate)[0] for name in (SLOWED, RIVAL))
    hurried = _ratios(found, (OURS, NONE), "flat out", _rate)[0]
    runs = [run for name in (OURS, SLOWED, JSON) for run in _runs(found, name, "flat out")]
    rows, made, lost = (sum(run[key] for run in runs) for key in ("rows", "connections", "lost"))
    return Result(
        "the same: throughput",
        f"{spread(ours)} of no tracer, with tcptracer {spread(theirs)}; {spread(hurried)} where "
        f"trace reads each 50 ms; {rows:,} rows of {made:,} connections, {lost:,} lost",
        ">= tcptracer's",
        statistics.median(ours) >= statistics.median(theirs),
    )


def _judge_guess(guesses: list[dict[str, Any]], factor: float) -> Result:
    seconds = [each["seconds"] for each in guesses]
    made = max(each["connections"] for each in guesses)
    scaled_s = statistics.median(seconds) / factor
    return Result(
        "guess of the field offsets, without BTF",
        f"{made} connections; {spread(seconds)} s there, which is {scaled_s:.2f} s here",
        f"< {CONNECTIONS_MAX} connections, < {GUESS_S:.0f} s here",
        made < CONNECTIONS_MAX and scaled_s < GUESS_S,
    )


def _judge_open(open_s: float, found_s: float) -> Result:
    """There; and here what of it needs no kprobes: who sits in accept(), sock_diag, fd tables."""
    with sitting(SITTERS):
        began_s = time.process_time()
        threads_in_accept()
        scan_s = time.process_time() - began_s
        with NetlinkTier(Config(), hears_news=False) as dump:
            dump.look()
        here_s = time.process_time() - began_s
    return Result(
        f"open() among {SITTERS:,} processes that sit in accept()",
        f"{open_s:.0f} s of CPU there, {found_s:.1f} s to find them; what of "
        f"it needs no kprobes takes {here_s:.1f} s of CPU here, {scan_s:.2f} s to find them",
        f"< {OPEN_S:.0f} s of CPU here",
        here_s < OPEN_S,
    )
