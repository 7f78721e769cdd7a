"""The kprobe tier beside libbpf-tools' tcptracer: same probes, same traffic, one virtual machine.

The machine's own kernel may have no kprobes, so a guest is booted that QEMU emulates. All is slower
there, and not all by the same factor: fixed pieces of work are timed outside and inside. Start-up
is left out: CPU is counted from the moment on that a tracer is ready.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from typing import Any

from bench.result import Result, spread
from bench.rigs.kprobe_guest import END, PACES
from bench.rigs.virtual_machine import run_in_guest
from bench.rigs.work import work_s

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
    if found[-1]["what"] != END:
        raise RuntimeError(f"the guest ended after {found[-1]}")
    factors = {
        name: min(each[name] for each in _of(found, "work")) / outside_s
        for name, outside_s in outside.items()
    }
    return (
        _compare_seen(_of(found, "together")[0], release),
        _compare_user(found, factors),
        *(_compare_cpu(found, pace) for pace in PACES),
        _compare_kernel(found),
        _compare_rates(found),
        _judge_guess(_of(found, "guess"), factors["python"]),
        _judge_open(_of(found, "sitters")[0], factors["python"]),
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
    found: list[dict[str, Any]], pace: str, cost: Callable[[Found], float]
) -> tuple[list[float], list[float], list[float]]:
    """Of the two, turn by turn; ours, and tcptracer's."""
    ours = [cost(run) for run in _runs(found, "connscope", pace)]
    theirs = [cost(run) for run in _runs(found, "tcptracer", pace)]
    return [one / other for one, other in zip(ours, theirs, strict=True)], ours, theirs


def _compare_user(found: list[dict[str, Any]], factors: dict[str, float]) -> Result:
    """Of the two as they are, and as they would be if both were slowed down alike."""
    ratios, ours, theirs = _ratios(
        found, "flat out", lambda run: _per_connection(run, run["user_s"])
    )
    alike = statistics.median(ratios) * factors["c"] / factors["rows"]
    return Result(
        "the same one after the other, flat out: user CPU of `trace -o json` for each connection",
        f"{spread(ratios)} of tcptracer's; {spread(ours, 0)} µs against {spread(theirs, 0)} µs "
        f"there, {ROWS_OF_CONNECTION} rows of 40 columns against 4 lines of 8. Emulated, making "
        f"our rows text takes {factors['rows']:.0f} times longer than here, awk's printing "
        f"{factors['c']:.0f} times, a Python loop {factors['python']:.0f} times: slowed down "
        f"alike it would be {alike:.1f}",
        f"<= {CPU_RATIO} of tcptracer's",
        statistics.median(ratios) <= CPU_RATIO,
    )


def _compare_cpu(found: list[dict[str, Any]], pace: str) -> Result:
    ratios, ours, theirs = _ratios(
        found, pace, lambda run: _per_connection(run, run["user_s"] + run["system_s"])
    )
    first = _runs(found, "connscope", pace)[0]
    rate = first["connections"] / first["elapsed_ns"] * 1e9
    return Result(
        f"the same, {pace} ({rate:,.0f} connections/s there): user and system CPU for each "
        "connection",
        f"{spread(ratios)} of tcptracer's; {spread(ours, 0)} µs against {spread(theirs, 0)} µs "
        "there",
        f"<= {CPU_RATIO} of tcptracer's",
        statistics.median(ratios) <= CPU_RATIO,
    )


def _per_connection(run: Found, seconds: float) -> float:
    return max(seconds, 1e-9) / float(run["connections"]) * 1e6


def _compare_kernel(found: list[dict[str, Any]]) -> Result:
    ratios, ours, theirs = _ratios(
        found, "flat out", lambda run: _per_connection(run, run["bpf_ns"] / 1e9)
    )
    return Result(
        "the same: time in BPF programs for each connection",
        f"{spread(ratios)} of tcptracer's; {spread(ours, 0)} µs against {spread(theirs, 0)} µs "
        "there",
        f"<= {CPU_RATIO} of tcptracer's",
        statistics.median(ratios) <= CPU_RATIO,
    )


def _compare_rates(found: list[dict[str, Any]]) -> Result:
    runs = {name: _runs(found, name, "flat out") for name in ("none", "connscope", "tcptracer")}
    rates = {
        name: [run["connections"] / run["elapsed_ns"] * 1e9 for run in of]
        for name, of in runs.items()
    }
    of_none = {
        name: [one / free for one, free in zip(rates[name], rates["none"], strict=True)]
        for name in ("connscope", "tcptracer")
    }
    rows = sum(run["events"] for run in runs["connscope"])
    made = sum(run["connections"] for run in runs["connscope"])
    lost = sum(run["lost"] for run in runs["connscope"])
    return Result(
        "the same: throughput",
        f"{spread(of_none['connscope'])} of no tracer, with tcptracer "
        f"{spread(of_none['tcptracer'])}; {rows:,} rows of {made:,} connections, {lost:,} lost",
        ">= tcptracer's",
        statistics.median(of_none["connscope"]) >= statistics.median(of_none["tcptracer"]),
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


def _judge_open(sitters: Found, factor: float) -> Result:
    scan_s, open_s = sitters["scan_s"], sitters["open_s"]
    return Result(
        f"open() among {sitters['count']:,} processes that sit in accept()",
        f"{open_s:.1f} s there, which is {open_s / factor:.2f} s here; to find them "
        f"{scan_s:.1f} s there, {scan_s / factor:.2f} s here",
        f"< {OPEN_S:.0f} s here",
        open_s / factor < OPEN_S,
    )
