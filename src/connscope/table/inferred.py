"""Events that nobody told, made of what differs between two looks."""

from __future__ import annotations

import numpy as np

from connscope.row.columns import Rows
from connscope.row.words import Group, Kind, State

__all__ = ("NOT_YET", "beginnings", "endings")

NOT_YET = (State.SYN_SENT, State.SYN_RECV)
"""Connections in these states are not open yet."""


def beginnings(rows: Rows, now_ns: int) -> Rows:
    """The rows as ``opened`` and ``listening``; when that was is not known, only that it was before
    this time."""
    found = _at(rows, now_ns)
    found["kind"] = np.where(rows["state"] == State.LISTEN, Kind.LISTENING, Kind.OPENED)
    found["opened_ns"] = np.where(rows["opened_ns"], rows["opened_ns"], now_ns)
    return found


def endings(rows: Rows, now_ns: int) -> Rows:
    """The rows as ``closed`` and ``unlistened``, with the counters of the last look: not the final
    ones."""
    found = _at(rows, now_ns)
    found["kind"] = np.where(rows["state"] == State.LISTEN, Kind.UNLISTENED, Kind.CLOSED)
    found["closed_ns"] = now_ns
    found["exact"] &= ~np.uint16(Group.TRAFFIC | Group.QUALITY)
    found["state"] = State.CLOSE
    return found


def _at(rows: Rows, now_ns: int) -> Rows:
    found = rows.copy()
    found["time_ns"] = now_ns
    found["known"] |= np.uint16(Group.LIFE)
    found["exact"] &= ~np.uint16(Group.LIFE)
    return found
