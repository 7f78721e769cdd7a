"""What the whole machine spends, and what kind of machine it is."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ("busy_s", "cpu_name", "memory_kib")

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
BUSY_FIELDS = (0, 1, 2, 5, 6)  # user, nice, system, irq, softirq; proc(5)


def busy_s() -> float:
    """Seconds that all CPUs together were busy since boot."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    return sum(int(fields[place]) for place in BUSY_FIELDS) / TICKS_PER_S


def cpu_name() -> str:
    """As /proc/cpuinfo says it, with how many there are."""
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return f"{os.cpu_count()} × {names[0] if names else os.uname().machine}"


def memory_kib(pid: int, file: str, name: str) -> int:
    """A number of kibibytes from a file of /proc/PID: ``status`` or ``smaps_rollup``."""
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise LookupError(f"/proc/{pid}/{file} has no {name}")
