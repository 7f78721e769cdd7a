"""One look compared with what the kernel counts: a look has no window, so only a level will do.

CurrEstab is how many connections are in ESTABLISHED or CLOSE_WAIT now. It is read before and after
the look; what it said in between is not known, so it is a span if the two differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from connscope.row.columns import Rows
from connscope.row.words import Protocol, State

__all__ = ("Level", "audit_look")


class Level(NamedTuple):
    """Established connections of a network namespace.

    Attributes:
        netns: its inode.
        saw: in the look.
        counted_least, counted_most: by the kernel; None: it was not read.
    """

    netns: int
    saw: int
    counted_least: int | None
    counted_most: int | None

    @property
    def missing(self) -> int:
        """So many certainly were there and are not shown."""
        return max(0, (self.counted_least or 0) - self.saw)

    @property
    def surplus(self) -> int:
        """So many are certainly shown and were not there."""
        return 0 if self.counted_most is None else max(0, self.saw - self.counted_most)


def audit_look(
    rows: Rows, before: Mapping[int, int], after: Mapping[int, int]
) -> tuple[Level, ...]:
    """Compares a look with CurrEstab of each namespace, ascending by inode.

    Args:
        rows: all of the look, nothing filtered out.
        before, after: CurrEstab by inode, read around the look.
    """
    established = (rows["state"] == State.ESTABLISHED) | (rows["state"] == State.CLOSE_WAIT)
    chosen = rows["netns"][established & (rows["protocol"] == Protocol.TCP)]
    inodes, counts = np.unique(chosen, return_counts=True)
    saw = dict(zip(inodes.tolist(), counts.tolist(), strict=True))
    levels = list[Level]()
    for inode in sorted(saw.keys() | before.keys() | after.keys()):
        counted = [each[inode] for each in (before, after) if inode in each]
        least, most = (min(counted), max(counted)) if len(counted) == 2 else (None, None)
        levels.append(Level(inode, saw.get(inode, 0), least, most))
    return tuple(levels)
