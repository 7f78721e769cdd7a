"""Looks and reports for tests: written out by hand, or drawn by hypothesis."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from connscope.report.report import Look, Name, Report, make_report
from connscope.row.columns import ROW, Rows
from tests.unit.sample_rows import sensible_rows

A_NAME = Name(7, 700, "executable", "/usr/bin/nginx")


def a_look(time_ns: int = 10**12, **changes: Any) -> Look:
    """The look of a host."""
    values: dict[str, Any] = {
        "host_id": "4f1c",
        "host_name": "web-1",
        "boot_id": "b0",
        "session_ns": 5 * 10**9,
        "time_ns": time_ns,
        "wall_minus_boottime_ns": -(10**18),
        "interval_ns": 3 * 10**9,
        "tier": 1,
        "limits": ("no accept",),
        "losses": {"rows": 2},
        "audit": {"ActiveOpens": {"saw": 4, "of": 5, "where": "here"}},
        "groups": {"ends": "exact", "owner": "estimated"},
    }
    return Look(**values | changes)


def table_of(counters: dict[int, int], **columns: Any) -> Rows:
    """Rows of some ids, each with its `bytes_sent`."""
    rows = np.zeros(len(counters), ROW)
    rows["connection_id"] = list(counters)
    rows["bytes_sent"] = list(counters.values())
    for name, value in columns.items():
        rows[name] = value
    return rows


def distinct_ids(rows: Rows) -> Rows:
    """One row for each id."""
    found: Rows = rows[np.unique(rows["connection_id"], return_index=True)[1]]
    return found


def any_names() -> st.SearchStrategy[tuple[Name, ...]]:
    """A few names."""
    texts = st.sampled_from(("nginx.service", "/usr/bin/ßeta", ""))
    whats = st.sampled_from(("unit", "executable"))
    return st.lists(
        st.builds(Name, st.integers(0, 3), st.integers(0, 2), whats, texts), max_size=4
    ).map(tuple)


@st.composite
def any_reports(draw: st.DrawFn) -> Report:
    """Full reports and deltas of rows that have anything in them."""
    base = draw(st.none() | st.integers(0, 1 << 40))
    gone = draw(st.lists(st.integers(1, (1 << 64) - 1), max_size=5)) if base is not None else []
    return make_report(
        a_look(time_ns=draw(st.integers(1, 1 << 61))),
        draw(st.integers(0, 9)) if base is None else base + 1,
        base,
        draw(sensible_rows()),
        distinct_ids(draw(sensible_rows())),
        np.array(gone, np.uint64),
        draw(any_names()),
    )


def content(report: Report) -> tuple[Any, ...]:
    """All that a report says, to be compared."""
    return (
        *(report.look, report.sequence, report.base, report.names),
        *(array.tobytes() for array in (report.open, report.ended, report.gone)),
    )
