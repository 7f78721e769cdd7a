"""What a report says about how well its host is watched, in the words of the API."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from connscope.report.report import Look, Plain
from connscope.row.columns import Rows
from connscope.row.words import Group, Tier, word
from connscope.server.host import Health

__all__ = ("make_health",)

COMPARED = ("ActiveOpens", "PassiveOpens")
"""Counters of connections; a lower bound of another one tells nothing of completeness."""


def make_health(look: Look, rows: Rows, before: Health) -> Health:
    """The health of a host.

    Args:
        look: the last one.
        rows: what the report tells of; how sure the groups are is read off them.
        before: what was known until now, for a report without rows.
    """
    saw, counted = _compared(look.audit)
    return Health(
        tier=word(Tier(look.tier)),
        groups=_groups(rows) if len(rows) else before.groups,
        completeness=min(saw / counted, 1.0) if counted else None,
        audit=_sentence(saw, counted),
        lost=sum(look.losses.values()),
        limits=look.limits,
    )


def _groups(rows: Rows) -> dict[str, str]:
    """Of each group if all rows have it exactly, some have it somehow, or none."""
    known = int(np.bitwise_or.reduce(rows["known"]))
    exact = int(np.bitwise_and.reduce(rows["exact"] | ~rows["known"])) & known
    return {
        word(group): "exact" if group & exact else "estimated" if group & known else "unknown"
        for group in Group
    }


def _compared(audit: Mapping[str, Mapping[str, Plain]]) -> tuple[int, int]:
    """How many connections were seen and how many counted, of those counters that are compared."""
    saw = counted = 0
    for counter in COMPARED:
        verdict = audit.get(counter, {})
        ours, theirs = verdict.get("saw"), verdict.get("counted")
        if isinstance(ours, int | float) and isinstance(theirs, int | float):
            saw, counted = saw + int(ours), counted + int(theirs)
    return saw, counted


def _sentence(saw: int, counted: int) -> str:
    return f"saw {saw:,} of {counted:,} connections" if counted else "not compared with the kernel"
