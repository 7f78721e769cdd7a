"""Which processes of a host are connscope's: their connections are the tool's own traffic."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from connscope.report.report import START_TICK_NS, Name
from connscope.row.columns import Rows

__all__ = ("OwnProcesses",)

Mask = npt.NDArray[np.bool_]

OWN = "own"
"""The name by which an agent marks a process of connscope."""

KEPT = 64
"""Processes of a host; those told last."""


class OwnProcesses:
    """The processes of a host that are connscope's, as its agent says."""

    def __init__(self) -> None:
        self._processes = dict[tuple[int, int], None]()

    def forget(self) -> None:
        """The machine was started anew."""
        self._processes.clear()

    def note(self, names: Iterable[Name]) -> bool:
        """Takes names in; whether one of them is news."""
        told = [(name.pid, name.process_start_ns) for name in names if name.what == OWN]
        news = not all(process in self._processes for process in told)
        for process in told:
            self._processes.pop(process, None)
            self._processes[process] = None
        while len(self._processes) > KEPT:
            del self._processes[next(iter(self._processes))]
        return news

    def mask(self, rows: Rows) -> Mask:
        """Which rows are of such a process; a process that has the number of another is none."""
        mask = np.zeros(len(rows), np.bool_)
        tick_ns = np.uint64(START_TICK_NS)
        for pid, start_ns in self._processes:
            where = np.flatnonzero(rows["pid"] == pid)
            started = rows["process_start_ns"][where] // tick_ns
            mask[where] |= started == start_ns // START_TICK_NS
        return mask
