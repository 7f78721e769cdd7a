"""Reports of another time, moved to now."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from connscope.kernel.host.clock import boottime_ns, wall_minus_boottime_ns
from connscope.report.report import Report
from connscope.row.columns import Rows

__all__ = ("Replayed",)

TIMES = ("time_ns", "opened_ns", "closed_ns")
LONGEST_PAUSE_S = 10.0


class Replayed:
    """Moves each report by the same time, so that the first one is of now.

    Attributes:
        pause_s: how long to wait before the last report that was moved is due.
    """

    def __init__(self) -> None:
        self._rounds = 0
        self.begin_again()

    def begin_again(self) -> None:
        """The next report is the first one once more, of another session."""
        self._rounds += 1
        self._began_s, self._first_ns, self.pause_s = time.monotonic(), 0, 0.0
        self._session_ns, self._offset_ns = boottime_ns(), wall_minus_boottime_ns()

    def moved(self, report: Report) -> Report:
        """The report with its times, its session and its boot of now."""
        look = report.look
        self._first_ns = self._first_ns or look.time_ns
        due_s = (look.time_ns - self._first_ns) / 1e9
        left_s = due_s - (time.monotonic() - self._began_s)
        self.pause_s = min(max(0.0, left_s), LONGEST_PAUSE_S)
        by_ns = self._session_ns - self._first_ns
        moved = replace(
            look,
            time_ns=look.time_ns + by_ns,
            session_ns=self._session_ns,
            wall_minus_boottime_ns=self._offset_ns,
        )
        return replace(
            report,
            look=moved,
            open=_moved(report.open, by_ns),
            ended=_moved(report.ended, by_ns),
        )


def _moved(rows: Rows, by_ns: int) -> Rows:
    """What is not known stays so, and nothing was before the machine booted."""
    rows = rows.copy()
    for column in TIMES:
        times = rows[column].astype(np.int64)
        rows[column] = np.where(times, np.maximum(times + by_ns, 1), 0)
    return rows
