"""Edges of windows, written down by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from connscope.row.words import Role
from connscope.tracker.audit_rows import Counts, Seen
from connscope.tracker.audit_verdict import MIB_NAMES, Edge

NAMES = {name.removeprefix("Tcp").removeprefix("Ext"): name for name in MIB_NAMES}
SOMEBODY = {Role.CLIENT: Seen.ACTIVE, Role.SERVER: Seen.PASSIVE}


def counters(**values: int) -> Counts:
    """The counters of a reading: ``ActiveOpens=3``; all others are zero."""
    found = np.zeros(len(MIB_NAMES), np.int64)
    for name, value in values.items():
        found[MIB_NAMES.index(NAMES[name])] = value
    return found


def seen(**values: int) -> Counts:
    """What rows told: ``active=3``."""
    found = np.zeros(len(Seen), np.int64)
    for name, value in values.items():
        found[Seen[name.upper()]] = value
    return found


def edge(at_s: float, told: Counts, least: Counts, most: Counts | None = None, **more: Any) -> Edge:
    """Quiet if `most` is not given."""
    return Edge(at_s, least, least if most is None else most, told, **more)


BEGIN = edge(10.0, seen(active=5), counters(ActiveOpens=100, ListenDrops=7))
