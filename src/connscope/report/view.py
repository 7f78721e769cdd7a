"""The receiver's side: the table of one host, kept up by its reports."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import numpy as np

from connscope.errors import ReportError
from connscope.report.report import Look, Report, by_cookie
from connscope.row.columns import ROW, Rows

__all__ = ("Applied", "View")

BOOTS_REMEMBERED = 16


class Applied(Enum):
    """What became of a report."""

    APPLIED = "the table is that of the sender now"
    REPEATED = "it was applied before"
    STALE = "a later one was applied before"
    GAP = "what it builds on is missing: ask for a full report; what ended is new"
    GAP_AGAIN = "the same, and it came before"


class Gap(NamedTuple):
    """Reports that did not fit since the last one that did.

    Attributes:
        session: theirs: boot and beginning.
        last: the latest sequence.
        came: how many they are.
    """

    session: tuple[str, int] = ("", 0)
    last: int = -1
    came: int = 0


class View:
    """The open sockets of one host.

    Attributes:
        open: `ROW`, in the order of `by_cookie`; `time_ns` says by which look each was told.
        look: the last one; None before the first full report.
        names: of processes by pid and start, then by what is told.
        missed: reports that never came, while a later one did.
    """

    def __init__(self) -> None:
        self.open: Rows = np.empty(0, ROW)
        self.look: Look | None = None
        self.names = dict[tuple[int, int], dict[str, str]]()
        self.missed = 0
        self._sequence = 0
        self._past_boots: tuple[str, ...] = ()
        self._gap = Gap()

    def apply(self, report: Report) -> Applied:
        """Takes a report; one that does not fit changes nothing.

        Rows of `Report.ended` are the caller's to keep if it is applied or a gap: whoever sent them
        will not do so again.

        Raises:
            ReportError: it is of another host.
        """
        applied = self._fits(report)
        if applied is Applied.GAP:
            return self._note_gap(report)
        if applied is not Applied.APPLIED:
            return applied
        if report.full:
            self._restart(report)
        else:
            self._change(report)
        for name in report.names:
            self.names.setdefault((name.pid, name.process_start_ns), {})[name.what] = name.text
        self.look, self._sequence = report.look, report.sequence
        return Applied.APPLIED

    def _note_gap(self, report: Report) -> Applied:
        session = _session(report.look)
        if session != self._gap.session:
            self._gap = Gap(session)
        if report.sequence <= self._gap.last:
            return Applied.GAP_AGAIN
        self._gap = Gap(session, report.sequence, self._gap.came + 1)
        return Applied.GAP

    def _fits(self, report: Report) -> Applied:
        if self.look and report.look.host_id != self.look.host_id:
            raise ReportError(
                f"a report of host {report.look.host_id!r} came for host {self.look.host_id!r}"
            )
        if report.look.boot_id in self._past_boots:
            return Applied.STALE
        if self.look is None or report.look.boot_id != self.look.boot_id:
            return Applied.APPLIED if report.full else Applied.GAP
        last, this = (
            (self.look.session_ns, self._sequence),
            (report.look.session_ns, report.sequence),
        )
        if this <= last:
            return Applied.REPEATED if this == last else Applied.STALE
        builds_on_last = this[0] == last[0] and report.base == self._sequence
        return Applied.APPLIED if report.full or builds_on_last else Applied.GAP

    def _restart(self, report: Report) -> None:
        if self.look and self._same_session(report):
            came = self._gap.came if self._gap.session == _session(report.look) else 0
            self.missed += max(0, report.sequence - self._sequence - 1 - came)
        elif self.look and self.look.boot_id != report.look.boot_id:
            self._past_boots = (*self._past_boots, self.look.boot_id)[-BOOTS_REMEMBERED:]
        self.open, self.names, self._gap = report.open.copy(), {}, Gap()

    def _same_session(self, report: Report) -> bool:
        return self.look is not None and _session(self.look) == _session(report.look)

    def _change(self, report: Report) -> None:
        told = (report.open["connection_id"], report.ended["connection_id"], report.gone)
        rest = self.open.compress(~np.isin(self.open["connection_id"], np.concatenate(told)))
        rows = np.concatenate((rest, report.open))
        self.open = rows.take(np.argsort(by_cookie(rows["connection_id"])))


def _session(look: Look) -> tuple[str, int]:
    return look.boot_id, look.session_ns
