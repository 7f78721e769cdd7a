"""What a measurement comes to: a row of the table."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ("Result", "spread")


@dataclass(frozen=True, slots=True)
class Result:
    """One row.

    Attributes:
        what: was measured.
        measured: the outcome in words; ratios first.
        target: what we want.
        met: whether we have it.
    """

    what: str
    measured: str
    target: str
    met: bool

    def __str__(self) -> str:
        verdict = "met " if self.met else "LOST"
        return f"{verdict}  {self.what}: {self.measured} (target: {self.target})"


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The median of some runs and between what they lie: ``1.02 (0.97–1.04)``."""
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"
