"""What was found: lines of the guest, put together to one cell for each tier and condition."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vmtest.kernels import Condition, Kernel

__all__ = ("Cell", "cells_of")

ALL = "all"
"""In place of a test: pytest did not come to any."""


@dataclass(slots=True)
class Cell:
    """One tier on one kernel under one condition.

    Attributes:
        passed_of: file of tests → how many passed.
        failed: test → reason. A test that was skipped or never ended has failed.
        refused: why the tier can not be had; empty if it can.
        excuse: why it need not be had here; empty if it must.
        ran: whether anything is known of it.
        is_elsewhere: not in this line of the table, but in another one.
    """

    passed_of: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)
    refused: str = ""
    excuse: str = ""
    ran: bool = False
    is_elsewhere: bool = False

    @property
    def passed(self) -> int:
        """How many tests."""
        return self.passed_of.total()

    @property
    def files(self) -> set[str]:
        """Those of which there were tests."""
        return {*self.passed_of, *(test.partition("::")[0] for test in self.failed)} - {ALL}

    @property
    def is_good(self) -> bool:
        """It keeps its promise, or has none to keep."""
        if not self.ran or self.failed:
            return False
        return bool(self.excuse) if self.refused else self.passed > 0

    def __str__(self) -> str:
        if not self.ran:
            return "" if self.is_elsewhere else "not run"
        if self.refused:
            return "not possible" if self.excuse else "FAILED to open"
        return f"{self.passed} passed" + (f", {len(self.failed)} FAILED" if self.failed else "")


def cells_of(
    lines: Iterable[str], kernel: Kernel, condition: Condition, tiers: Iterable[str]
) -> dict[str, Cell]:
    """One for each tier, also if the guest said nothing of it."""
    excuses = {**kernel.lacks, **condition.lacks}
    cells = {tier: Cell(excuse=excuses.get(tier, "")) for tier in tiers}
    tests: dict[str, str] = {}
    outcomes: dict[str, tuple[str, str]] = {}
    collected = False
    for text in lines:
        line = json.loads(text)
        if line["condition"] != condition.name:
            continue
        if line["what"] == "tiers":
            _take_tiers(cells, line["tiers"])
        elif line["what"] == "collected":
            tests, collected = line["tests"], True
        else:
            _take_outcome(outcomes, line)
    for test, tier in tests.items():
        _count(cells[tier], test, *outcomes.get(test, ("missing", "never run: the guest ended")))
    if not collected:
        for cell in cells.values():
            if cell.ran and not cell.refused:
                cell.failed[ALL] = "pytest did not come to its tests"
    return cells


def _take_tiers(cells: dict[str, Cell], reasons: Mapping[str, str]) -> None:
    for tier, reason in reasons.items():
        if tier in cells:
            cells[tier].ran, cells[tier].refused = True, reason


def _take_outcome(outcomes: dict[str, tuple[str, str]], line: dict[str, Any]) -> None:
    """Failing outweighs passing: a fixture may fail after its test."""
    if line["what"] == "start":
        outcomes.setdefault(line["test"], ("running", "did not end"))
    elif outcomes.get(line["test"], ("",))[0] != "failed":
        outcomes[line["test"]] = line["outcome"], line["reason"]


def _count(cell: Cell, test: str, outcome: str, reason: str) -> None:
    if outcome == "passed":
        cell.passed_of[test.partition("::")[0]] += 1
    else:
        cell.failed[test] = f"{outcome}: {reason}"
