"""Reports that waited until they say nothing of now, by the word of who sends them.

Times of day are not compared: the clocks of two machines differ, and are set, in ways that look
like a report that waited. The sender knows by one clock of its own for how long it kept it.
"""

from __future__ import annotations

import re

__all__ = ("AGE", "FASTER", "is_late", "told_age_s")

AGE = "connscope-age-ms"
"""The header that says for how many milliseconds a report waited; the agent has the same."""

FASTER = 10
"""Late reports may come so many times as often: the sooner it is over."""

MILLISECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)


def told_age_s(said: str) -> float:
    """What the header says; 0 if there is none, or if it is no number."""
    return int(said) / 1000 if MILLISECONDS.fullmatch(said) else 0.0


def is_late(age_s: float, window_s: int) -> bool:
    """If what was open when the report was made says nothing of what is open now."""
    return age_s > window_s
