"""Fixed pieces of work: how much slower an emulated machine is, and at what.

QEMU translates what is executed, and looks up each address: a program that goes through much code
and memory, such as NumPy, loses more by that than a small one in C.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

from bench.rigs.busy_server import busy_server
from connscope.row.json_lines import json_lines

__all__ = ("WORKS", "work_s")

TRIES = 7
ROWS = 400
PROGRAM = 'BEGIN { for (i = 0; i < 500000; i++) n += length(sprintf("%d %s", i, "text")) }'


def work_s() -> dict[str, float]:
    """How long each piece takes, of the fastest of a few tries."""
    return {name: min(_time_s(work) for _ in range(TRIES)) for name, work in WORKS.items()}


def _time_s(work: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s


def _loop() -> int:
    total = 0
    for number in range(100_000):
        total += number * number & 0xFF
    return total


def _format_rows() -> None:
    for _ in range(10):
        json_lines(BUSY, 0)


def _format_in_c() -> None:
    subprocess.run(["/usr/bin/awk", PROGRAM], check=True)


BUSY = busy_server(ROWS)
WORKS = {"python": _loop, "rows": _format_rows, "c": _format_in_c}
"""A loop, rows made text as `trace` does it, text made by a C program."""
