"""Many slots, some at a time: a copy of all rows would double our memory."""

from __future__ import annotations

from collections.abc import Iterator

from connscope.row.columns import Rows
from connscope.server.keys import Integers

__all__ = ("rows_at", "sliced")

SOME = 1 << 16


def sliced(slots: Integers) -> Iterator[Integers]:
    """The slots in parts; one part at least, which may be empty."""
    for start in range(0, max(len(slots), 1), SOME):
        yield slots[start : start + SOME]


def rows_at(rows: Rows, slots: Integers) -> Rows:
    """The rows of some slots, which ascend; not copied if the slots are neighbours."""
    if len(slots) and int(slots[-1]) - int(slots[0]) == len(slots) - 1:
        neighbours: Rows = rows[int(slots[0]) : int(slots[-1]) + 1]
        return neighbours
    copied: Rows = rows[slots]
    return copied
