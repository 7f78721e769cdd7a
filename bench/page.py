"""Writes the table into docs/benchmarks.md, between its markers."""

from __future__ import annotations

import datetime
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bench.result import Result
from bench.rigs.machine import cpu_name

__all__ = ("write_page",)

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"
COMMAND = "make bench"


def write_page(results: Sequence[Result]) -> None:
    """Replaces what is between the markers; everything else on the page is written by hand."""
    page = PAGE.read_text()
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE} lacks {BEGIN} or {END}")
    PAGE.write_text(f"{before}{BEGIN}\n{_circumstances()}\n\n{_table(results)}\n{END}{after}")


def _circumstances() -> str:
    now = datetime.datetime.now(datetime.UTC)
    return (
        f"{now:%Y-%m-%d}, commit {_commit()}, Linux {os.uname().release}, {cpu_name()}, "
        f"by `{COMMAND}`."
    )


def _commit() -> str:
    """The commit that was measured, and whether the tree had more."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return described.stdout.strip() or "unknown"


def _table(results: Sequence[Result]) -> str:
    lines = ["| what | measured | target | |", "|---|---|---|---|"]
    lines += [
        f"| {result.what} | {result.measured} | {result.target} | "
        f"{'met' if result.met else '**missed**'} |".replace("<", "&lt;")
        for result in results
    ]
    return "\n".join(lines)
