"""What a report says about how well its host is watched, in the words of the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from connscope.report.report import Audit, Look, Plain
from connscope.row.columns import Rows
from connscope.row.words import Group, Tier, word
from connscope.server.host import Health

__all__ = ("make_health",)

COMPARED = ("ActiveOpens", "PassiveOpens")
"""Counters of connections, a number for each end; others tell nothing of completeness."""

MOST = 1 << 63
"""No count reaches this."""

WINDOW = "window"
"""What of an audit is no counter, see `connscope.report.report.Audit`."""

NOT_COMPARED = "not compared with the kernel"


class Compared(NamedTuple):
    """Ends of connections: seen, and counted by the kernel, at least and at most."""

    saw: int
    least: int
    most: int


def make_health(look: Look, rows: Rows, before: Health) -> Health:
    """The health of a host.

    Args:
        look: the last one.
        rows: what the report tells of; how sure the groups are is read off them if it does not say.
        before: what was known until now, for a report without rows.
    """
    compared = _compared(look.audit)
    return Health(
        tier=word(Tier(look.tier)),
        groups=_told_groups(look) or (_groups(rows) if len(rows) else before.groups),
        completeness=_completeness(compared),
        audit=_sentence(compared, look.audit.get(WINDOW, {})),
        lost=sum(look.losses.values()),
        limits=look.limits,
    )


def _told_groups(look: Look) -> dict[str, str]:
    """What the sender says; of a group that it does not know nothing is known."""
    told = look.groups
    return {word(group): told.get(word(group), "unknown") for group in Group} if told else {}


def _groups(rows: Rows) -> dict[str, str]:
    """Of each group if all rows have it exactly, some have it somehow, or none."""
    known = int(np.bitwise_or.reduce(rows["known"]))
    exact = int(np.bitwise_and.reduce(rows["exact"] | ~rows["known"])) & known
    return {
        word(group): "exact" if group & exact else "estimated" if group & known else "unknown"
        for group in Group
    }


def _compared(audit: Audit) -> Compared:
    """All counters that are compared, together."""
    verdicts = [audit[counter] for counter in COMPARED if counter in audit]
    saw, least = (sum(_whole(verdict, name) for verdict in verdicts) for name in ("saw", "counted"))
    most = sum(_whole(verdict, "counted_most", _whole(verdict, "counted")) for verdict in verdicts)
    return Compared(saw, least, max(least, most))


def _completeness(compared: Compared) -> float | None:
    """The share that was seen; None if nothing was counted, or nobody knows how much."""
    if not compared.least or compared.least != compared.most:
        return None
    return min(compared.saw, compared.least) / compared.least


def _sentence(compared: Compared, window: Mapping[str, Plain]) -> str:
    saw, least, most = compared
    if not most:
        reason = window.get("reason")
        return f"{NOT_COMPARED}: {reason}" if isinstance(reason, str) and reason else NOT_COMPARED
    counted = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    left = _whole(window, "uncompared")
    more = f"; {left:,} more are of namespaces that are not compared" if left else ""
    return f"saw {saw:,} of {counted} connections{more}"


def _whole(verdict: Mapping[str, Plain], name: str, default: int = 0) -> int:
    """A count of those that a report tells; anything else is none."""
    found = verdict.get(name, default)
    if not isinstance(found, int | float) or not 0 <= found < MOST:
        return default
    return int(found)
