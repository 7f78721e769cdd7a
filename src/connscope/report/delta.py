"""The sender's side: which rows changed since the last report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from connscope.report.report import (
    NO_IDS,
    START_TICK_NS,
    Ids,
    Look,
    Name,
    Report,
    make_report,
    places_of_last,
)
from connscope.row.columns import ROW, Rows

__all__ = ("FULL_EVERY", "Deltas")

FULL_EVERY = 30
PART_ROWS = 1024
"""So many rows are compared at once: what that takes of memory stays in the processor's cache."""

Mask = npt.NDArray[np.bool_]


class Told(NamedTuple):
    """What a receiver knows of open sockets.

    Attributes:
        rows: as they came.
        places: those of `rows` that count, in the order of `by_cookie`.
        keys: `by_cookie` of those.
        times_ns: of the looks by which those were told.
    """

    rows: Rows
    places: npt.NDArray[np.intp]
    keys: Ids
    times_ns: Ids

    @classmethod
    def of(cls, rows: Rows, time_ns: int, but: Ids = NO_IDS) -> Told:
        """The last row of each id, without some ids, all told at one time."""
        places, keys = places_of_last(rows["connection_id"], but)
        return cls(rows, places, keys, np.full(len(keys), time_ns, np.uint64))


class Deltas:
    """Makes the reports of one session: every so many in full, between them what changed.

    Args:
        full_every: how many reports lie from one full report to the next.
    """

    def __init__(self, full_every: int = FULL_EVERY) -> None:
        self._sequence = 0
        self._full_every = full_every
        self._since_full = full_every
        self._told = Told.of(np.empty(0, ROW), 0)
        self._names = dict[tuple[int, int, str], Name]()

    @property
    def table(self) -> Rows:
        """What was told so far, in the order of `by_cookie`: a receiver has the same.

        `time_ns` is that of the look by which the row was told.
        """
        table: Rows = self._told.rows.take(self._told.places)
        table["time_ns"] = self._told.times_ns
        return table

    def want_full(self) -> None:
        """The next report is a full one: the receiver missed something."""
        self._since_full = self._full_every

    def next(self, look: Look, open_rows: Rows, ended: Rows, names: Iterable[Name] = ()) -> Report:
        """The report of one look.

        Args:
            look: who looked and when.
            open_rows: all sockets that are there, listeners too. They are kept, to be compared
                with the next ones: do not write to them.
            ended: what closed or failed since the last report.
            names: of processes, what became known since.
        """
        before, ids = self._told, ended["connection_id"]
        self._told = told = Told.of(open_rows, look.time_ns, but=ids)
        news = [name for name in names if self._remember(name)]
        if self._since_full >= self._full_every:
            report = make_report(look, self._sequence, None, open_rows, ended)
            self._forget(report)
            report = replace(report, names=tuple(self._names.values()))
            self._since_full = 1
        else:
            changed, gone = _compare(before, told)
            base = self._sequence - 1
            report = make_report(look, self._sequence, base, changed, ended, gone, news)
            self._since_full += 1
        self._sequence += 1
        return report

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


def _compare(before: Told, now: Told) -> tuple[Rows, Ids]:
    """Rows that are new or changed, and ids that went; the times of all others are what they were
    before."""
    if not len(before.keys):
        return now.rows.take(now.places), NO_IDS
    at = np.minimum(np.searchsorted(before.keys, now.keys), len(before.keys) - 1)
    was_there = before.keys[at] == now.keys
    same = was_there.copy()
    for part in _parts(len(same)):
        then = before.rows.take(before.places[at[part]])
        same[part] &= ~_differ(then, now.rows.take(now.places[part]))
    now.times_ns[same] = before.times_ns[at[same]]
    went = np.ones(len(before.keys), np.bool_)
    went[at[was_there]] = False
    gone: Ids = before.rows["connection_id"][before.places[went]]
    return now.rows.take(now.places[~same]), gone


def _parts(count: int) -> Iterator[slice]:
    return (slice(start, start + PART_ROWS) for start in range(0, count, PART_ROWS))


def _differ(then: Rows, now: Rows) -> Mask:
    """Rows that differ in more than their time; shape (n,)."""
    difference = _words(then) ^ _words(now)
    difference.view(ROW)["time_ns"] = 0
    differ: Mask = difference.any(axis=1)
    return differ


def _words(rows: Rows) -> npt.NDArray[Any]:
    return rows.view(np.uint64).reshape(len(rows), ROW.itemsize // 8)
