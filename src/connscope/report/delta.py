"""The sender's side: which rows changed since the last report."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.report.report import (
    NO_IDS,
    START_TICK_NS,
    Ids,
    Look,
    Name,
    Report,
    by_cookie,
    make_report,
)
from connscope.row.columns import ROW, Rows

__all__ = ("FULL_EVERY", "Deltas")

FULL_EVERY = 30


class Deltas:
    """Makes the reports of one session: every so many in full, between them what changed.

    Args:
        full_every: how many reports lie from one full report to the next.
    """

    def __init__(self, full_every: int = FULL_EVERY) -> None:
        self._sequence = 0
        self._full_every = full_every
        self._since_full = full_every
        self._table: Rows = np.empty(0, ROW)
        self._names = dict[tuple[int, int, str], Name]()

    @property
    def table(self) -> Rows:
        """What was told so far, in the order of `by_cookie`: a receiver has the same.

        `time_ns` is that of the look by which the row was told.
        """
        return self._table

    def want_full(self) -> None:
        """The next report is a full one: the receiver missed something."""
        self._since_full = self._full_every

    def next(self, look: Look, open_rows: Rows, ended: Rows, names: Iterable[Name] = ()) -> Report:
        """The report of one look.

        Args:
            look: who looked and when.
            open_rows: all sockets that are there, listeners too.
            ended: what closed or failed since the last report.
            names: of processes, what became known since.
        """
        full = self._since_full >= self._full_every
        whole = make_report(look, self._sequence, None, open_rows, ended)
        news = [name for name in names if self._remember(name)]
        if full:
            self._table = whole.open
            self._forget(whole)
            report = make_report(
                look, self._sequence, None, whole.open, ended, names=self._names.values()
            )
        else:
            changed, gone = self._compare(whole.open)
            base = self._sequence - 1
            report = make_report(look, self._sequence, base, changed, ended, gone, news)
        self._since_full = 1 if full else self._since_full + 1
        self._sequence += 1
        return report

    def _compare(self, now: Rows) -> tuple[Rows, Ids]:
        """Rows that are new or changed, and ids that went; `now` becomes the table."""
        before, self._table = self._table, now
        if not len(before):
            return now, NO_IDS
        keys_before, keys = (by_cookie(rows["connection_id"]) for rows in (before, now))
        places = np.minimum(np.searchsorted(keys_before, keys), len(before) - 1)
        same = keys_before[places] == keys
        then = before.take(places)
        same &= ~_differ(then, now)
        now["time_ns"][same] = then["time_ns"][same]
        gone: Ids = before["connection_id"][~np.isin(keys_before, keys, assume_unique=True)]
        return now.compress(~same), gone

    def _remember(self, name: Name) -> bool:
        """Whether it is news."""
        key = (name.pid, name.process_start_ns, name.what)
        known = self._names.get(key)
        self._names[key] = name
        return known != name

    def _forget(self, report: Report) -> None:
        """Drops the names of processes that no row speaks of."""
        wanted = {
            (pid, start_ns // START_TICK_NS)
            for rows in (report.open, report.ended)
            for pid, start_ns in np.unique(rows[["pid", "process_start_ns"]]).tolist()
        }
        self._names = {
            (pid, start_ns, what): name
            for (pid, start_ns, what), name in self._names.items()
            if (pid, start_ns // START_TICK_NS) in wanted
        }


def _differ(then: Rows, now: Rows) -> npt.NDArray[np.bool_]:
    """Rows that differ in more than their time; shape (n,)."""
    difference = _words(then) ^ _words(now)
    difference.view(ROW)["time_ns"] = 0
    differ: npt.NDArray[np.bool_] = difference.any(axis=1)
    return differ


def _words(rows: Rows) -> npt.NDArray[Any]:
    return rows.view(np.uint64).reshape(len(rows), ROW.itemsize // 8)
