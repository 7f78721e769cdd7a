"""Which rows are about listeners, and what is known of their queues."""

from __future__ import annotations

from connscope.row.columns import Rows
from connscope.row.text_rows import Mask
from connscope.row.words import Group, Kind, State

__all__ = ("has_queue_limit", "is_listener")


def is_listener(rows: Rows) -> Mask:
    """Listening sockets, and those that just were."""
    listens: Mask = (rows["state"] == State.LISTEN) | (rows["kind"] == Kind.UNLISTENED)
    return listens


def has_queue_limit(rows: Rows) -> Mask:
    """Those whose limit is known: where it is an estimate, as in /proc, 0 is none."""
    exact = rows["exact"] & Group.QUALITY.value != 0
    limited: Mask = is_listener(rows) & (exact | (rows["queue_limit"] > 0))
    return limited
