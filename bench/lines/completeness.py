"""Every connection of the churn against the kernel's own counters, read while it stands still."""

from __future__ import annotations

import json
import os
from pathlib import Path

from bench.result import Result
from bench.rigs.network import PrivateNetwork
from bench.rigs.tracers import TraceProgram

__all__ = ("measure",)

TRAFFIC_MS = 2000
KINDS = {"IPv4": (), "IPv6": ("-6",), "IPv4, closed by reset": ("-l",)}


def measure() -> tuple[Result, ...]:
    """One row for each kind of traffic."""
    return tuple(_compare(name, options) for name, options in KINDS.items())


def _compare(name: str, options: tuple[str, ...]) -> Result:
    with PrivateNetwork() as network, TraceProgram() as program:
        before = network.tcp_counters()
        done = network.run("churn", "-t", TRAFFIC_MS, "-w", os.cpu_count() or 1, *options)
        after = network.tcp_counters()
        program.settle()
        program.stop()
        opened, lost = _count(program.output, network.inode)
    counted = sum(after[name] - before[name] for name in ("ActiveOpens", "PassiveOpens"))
    return Result(
        f"completeness under churn, {name}",
        f"saw {opened:,} of {counted:,} opened ({opened / counted:.2%}), {lost:,} rows reported "
        f"lost; {done['connections']:,} connections in {done['elapsed_ns'] / 1e9:.1f} s",
        "100 %, or each missing one in the lost rows",
        opened == counted or 0 < counted - opened <= lost,
    )


def _count(output: Path, netns: int) -> tuple[int, int]:
    """How many rows say opened, and how many rows are said to be lost."""
    opened = lost = 0
    ours = f'"netns":{netns},'
    with output.open() as lines:
        for line in lines:
            if line.startswith('{"kind":"opened"'):
                opened += ours in line
            elif line.startswith('{"kind":"lost"'):
                lost += json.loads(line)["lost"]
    return opened, lost
