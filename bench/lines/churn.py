"""Connections made and closed as fast as the machine can, traced by nobody, by us, by tcplife.

The three take turns, each in a namespace of its own, so that a slow moment of the machine hits all;
ratios are made within a turn. All CPUs are busy, so what a tracer spends is taken from the traffic.
"""

from __future__ import annotations

import os
import statistics
from dataclasses import dataclass

from bench.result import Result, spread
from bench.rigs.machine import busy_s
from bench.rigs.network import PrivateNetwork
from bench.rigs.tracers import TraceProgram, TracingProgram, tcplife

__all__ = ("measure",)

TURNS = 9
TRAFFIC_MS = 1500
ENDS = 2  # both ends of a connection are on this machine: tcplife prints a line for each
ROWS_OF_CONNECTION = 2 * ENDS


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the traffic.

    Attributes:
        rate: connections a second.
        machine_us: CPU of the whole machine for each connection.
        line_us: CPU of the tracer for each line that it wrote.
        seen: share of the lines that there should be.
    """

    rate: float
    machine_us: float
    line_us: float = 0.0
    seen: float = 1.0


def measure() -> tuple[Result, ...]:
    """Throughput, CPU and completeness of nine turns."""
    none, trace, rival = list[Run](), list[Run](), list[Run]()
    _run(None)  # warms up
    for _ in range(TURNS):
        none.append(_run(None))
        with TraceProgram() as program:
            trace.append(_run(program, ROWS_OF_CONNECTION))
        with tcplife() as program:
            rival.append(_run(program, ENDS))
    return (
        _compare_rates(none, trace, rival),
        _tell_line_cost(trace, rival),
        _compare_machine(none, trace, rival),
    )


def _run(program: TracingProgram | None, lines_of_connection: int = 0) -> Run:
    with PrivateNetwork() as network:
        cpu_s, machine_s = program.cpu_s() if program else 0.0, busy_s()
        done = network.run("churn", "-t", TRAFFIC_MS, "-w", os.cpu_count() or 1)
        if program:
            program.settle()
            cpu_s = program.cpu_s() - cpu_s
        machine_s = busy_s() - machine_s
    connections = done["connections"]
    rate = connections / done["elapsed_ns"] * 1e9
    if program is None:
        return Run(rate, machine_s / connections * 1e6)
    program.stop()  # tcplife writes its last lines now
    lines = program.output.read_bytes().count(b"\n")
    seen = lines / connections / lines_of_connection
    return Run(rate, machine_s / connections * 1e6, cpu_s / lines * 1e6, seen)


def _compare_rates(none: list[Run], trace: list[Run], rival: list[Run]) -> Result:
    of_none = [ours.rate / free.rate for ours, free in zip(trace, none, strict=True)]
    of_rival = [ours.rate / theirs.rate for ours, theirs in zip(trace, rival, strict=True)]
    free = statistics.median(run.rate for run in none)
    return Result(
        "connection churn, all CPUs busy: throughput with `trace -o json`",
        f"{spread(of_none)} of no tracer ({free:,.0f} connections/s), "
        f"{spread(of_rival)} times tcplife's",
        ">= 0.85 of none, >= 1.3 of tcplife's",
        statistics.median(of_none) >= 0.85 and statistics.median(of_rival) >= 1.3,
    )


def _tell_line_cost(trace: list[Run], rival: list[Run]) -> Result:
    ours = [run.line_us for run in trace]
    seen, seen_by_rival = (statistics.median(run.seen for run in runs) for runs in (trace, rival))
    return Result(
        "the same: CPU of the trace process for each row",
        f"{spread(ours)} µs, {seen:.2%} of the rows seen; tcplife "
        f"{spread([run.line_us for run in rival])} µs a line, {seen_by_rival:.2%} seen "
        "(one line of 7 columns where we write two rows of 40)",
        "<= 10 µs a row",
        statistics.median(ours) <= 10,
    )


def _compare_machine(none: list[Run], trace: list[Run], rival: list[Run]) -> Result:
    ratios = [
        ours.machine_us / theirs.machine_us for ours, theirs in zip(trace, rival, strict=True)
    ]
    absolute = " ".join(
        f"{name} {spread([run.machine_us for run in runs], 0)}"
        for name, runs in (("none", none), ("trace", trace), ("tcplife", rival))
    )
    return Result(
        "the same: CPU of the whole machine for each connection",
        f"{spread(ratios)} of tcplife's; µs: {absolute}",
        "<= tcplife's",
        statistics.median(ratios) <= 1,
    )
