"""What holds for every report, whoever made it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from connscope.errors import ReportError
from connscope.report.numbers import MOST
from connscope.report.report import Ids, Look, Report, by_cookie
from connscope.row.columns import Rows

__all__ = ("check", "check_text")

TIMES = ("time_ns", "opened_ns", "closed_ns", "process_start_ns")
TEXT_MOST = 65_536


def check(report: Report) -> None:
    """Refuses a report that contradicts itself.

    Raises:
        ReportError: it does; the message says in what.
    """
    _check_look(report.look)
    if report.base is not None and report.base >= report.sequence:
        raise ReportError(f"report {report.sequence} builds on {report.base}, which is later")
    if report.full and len(report.gone):
        raise ReportError("a full report tells what is gone")
    for rows in (report.open, report.ended):
        _check_times(rows)
    if (report.open["time_ns"] != report.look.time_ns).any():
        raise ReportError("an open row is not of the time of the look")
    _check_order(report.open["connection_id"], strictly=True)
    _check_order(report.gone, strictly=True)
    _check_order(report.ended["connection_id"])
    ended = np.unique(report.ended["connection_id"])
    ids = np.concatenate((report.open["connection_id"], ended, report.gone))
    if len(np.unique(ids)) != len(ids):
        raise ReportError("a connection is in two tables")


def check_text(text: str, what: str) -> None:
    """Refuses text that could do something to a screen, or is too long.

    Raises:
        ReportError: it is such a text.
    """
    if not text.isprintable() or len(text) > TEXT_MOST:
        raise ReportError(f"{what} is not printable, or longer than {TEXT_MOST}: {text[:80]!r}")


def _check_look(look: Look) -> None:
    if not look.host_id or not look.boot_id:
        raise ReportError("a report does not say of which host or boot it is")
    for text in _texts(look):
        check_text(text, "a text of the look")
    times = (look.time_ns, look.session_ns, look.interval_ns, abs(look.wall_minus_boottime_ns))
    if max(times) >= MOST:
        raise ReportError(f"a time of the look is not below {MOST} ns")


def _texts(look: Look) -> Iterator[str]:
    yield from (look.host_id, look.host_name, look.boot_id)
    yield from (*look.limits, *look.losses, *look.groups)
    for counter, verdict in look.audit.items():
        yield counter
        yield from verdict
        yield from (value for value in verdict.values() if isinstance(value, str))


def _check_times(rows: Rows) -> None:
    for name in TIMES:
        if rows[name].max(initial=0) >= MOST:
            raise ReportError(f"{name} of a row is not below {MOST}")


def _check_order(ids: Ids, *, strictly: bool = False) -> None:
    keys = by_cookie(ids)
    in_order = keys[1:] > keys[:-1] if strictly else keys[1:] >= keys[:-1]
    if not in_order.all():
        raise ReportError("rows are not in the order of their cookies, or one is told twice")
