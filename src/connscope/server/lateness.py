"""Reports that waited until they say nothing of now, by the word of who sends them.

Times of day are not compared: the clocks of two machines differ, and are set, in ways that look
like a report that waited. The sender knows by one clock of its own for how long it kept it.
"""

from __future__ import annotations

import re

__all__ = ("AGE", "FASTER", "cost", "is_late", "told_age_s")

AGE = "connscope-age-ms"
"""The header that says for how many milliseconds a report waited; the agent has the same."""

FASTER = 10
"""Late reports may come so many times as often: the sooner it is over."""

ROWS_OF_ONE = 100
"""A late report with more rows of what ended counts as several: all of them come into the window,
and are in memory for as long as it is."""

MILLISECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)


def told_age_s(said: str) -> float:
    """What the header says; 0 if there is none, or if it is no number."""
    return int(said) / 1000 if MILLISECONDS.fullmatch(said) else 0.0


def cost(rows: int) -> float:
    """As how many a late report counts that tells of so many ends."""
    return max(1.0, rows / ROWS_OF_ONE)


def is_late(age_s: float, window_s: int) -> bool:
    """If what was open when the report was made says nothing of what is open now."""
    return age_s > window_s
