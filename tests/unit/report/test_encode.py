from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
import pytest
from hypothesis import given

from connscope.errors import ReportError
from connscope.report.decode import decode
from connscope.report.encode import encode, streams
from connscope.report.layout import PREAMBLE, TABLES
from connscope.report.report import make_report
from connscope.row.words import Kind, OwnerEvidence, Role
from tests.unit.report.reports import A_NAME, a_look, any_reports, content, table_of
from tests.unit.sample_rows import one_row

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ISN = 0x12345678
ID = (0x1234 ^ 0x5678) << 48 | 99


def ordinary_rows(count: int):
    """Connections as tier btf tells them, of one process to one server."""
    rows = np.repeat(
        one_row(
            kind=Kind.SNAPSHOT,
            local_address="10.0.0.1",
            peer_address="192.0.2.9",
            local_port=40_000,
            peer_port=443,
            family=4,
            role=Role.CLIENT,
            owner_evidence=OwnerEvidence.CONNECT,
            pid=77,
            process_start_ns=123_456_789_012,
            uid=33,
            comm=b"nginx-worker",
            cgroup_id=4711,
            isn_local=ISN,
            known=127,
            exact=127,
        ),
        count,
    )
    rows["socket_id"] = np.arange(99, 99 + count)
    rows["connection_id"] = rows["socket_id"] | np.uint64(ID & ~0xFFFF_FFFF_FFFF)
    return rows


def tables_of(report):
    """The tables by name, as plain pyarrow reads them."""
    source = pa.BufferReader(zstd.decompress(encode(report)))
    return {name: pa.ipc.open_stream(source).read_all() for name in TABLES}


@given(any_reports())
def test_report_is_read_as_it_was_written(report):
    """Nothing is lost on the way, whatever is in the rows."""
    assert content(decode(encode(report))) == content(report)


def test_arrow_reads_every_table():
    """pyarrow alone finds the tables one after the other, after zstd alone."""
    report = make_report(
        a_look(), 4, 3, ordinary_rows(3), table_of({7: 0}), np.array([8], np.uint64), [A_NAME]
    )
    heights = {name: table.num_rows for name, table in tables_of(report).items()}
    assert heights == {
        "look": 1,
        "owners": 2,
        "addresses": 3,
        "open": 3,
        "ended": 1,
        "gone": 1,
        "names": 1,
    }


def test_owner_is_told_once():
    """Name, user and start of a process are not repeated in its rows."""
    tables = tables_of(make_report(a_look(), 0, None, ordinary_rows(50)))
    told = {column.rpartition(".")[0] for column in tables["open"].column_names}
    assert tables["owners"].num_rows == 1
    assert told & {"pid", "comm", "uid", "process_start_ns", "cgroup_id", "netns"} == set()


def test_address_is_told_once():
    """Each address stands in a table of its own, and rows have its number."""
    tables = tables_of(make_report(a_look(), 0, None, ordinary_rows(50)))
    assert tables["addresses"].num_rows == 2


@pytest.mark.parametrize(
    "column", ["tag", "socket_id", "family", "exact", "owner_evidence", "age_ns", "closed_ns"]
)
def test_what_follows_is_not_told(column):
    """A column that follows from others is not there (S9)."""
    closed = ordinary_rows(5)
    closed["kind"], closed["time_ns"], closed["closed_ns"] = Kind.CLOSED, 10**12, 10**12
    report = make_report(a_look(), 0, None, ordinary_rows(5)[:0], closed)
    told = {name.rpartition(".")[0] for name in tables_of(report)["ended"].column_names}
    assert column not in told


def test_report_that_repeats_nothing_is_smaller():
    """The same rows with what followed made random take more bytes (S9)."""
    rows = ordinary_rows(500)
    plain = len(encode(make_report(a_look(), 0, None, rows)))
    rows["socket_id"] = np.random.default_rng(1).integers(0, 1 << 48, 500)
    assert plain < len(encode(make_report(a_look(), 0, None, rows))) / 3


def test_unknown_user_takes_no_column():
    """So a report without users is not one of root's."""
    rows = table_of({1: 0}, uid=0xFFFFFFFF)
    assert "uid.0" not in tables_of(make_report(a_look(), 0, None, rows))["owners"].column_names


def test_time_that_is_none_is_refused():
    """A time that steps can not tell is not sent as another one."""
    rows = table_of({1: 0}, opened_ns=1 << 63)
    with pytest.raises(ReportError, match="can not be told"):
        encode(make_report(a_look(), 0, None, rows))


def test_zstd_reads_a_report_as_it_is():
    """What stands before the frame is a frame that is skipped."""
    report = make_report(a_look(), 0, None, ordinary_rows(2))
    assert zstd.decompress(encode(report)) == b"".join(streams(report))
    assert PREAMBLE == 16


def test_writing_does_not_import_pyarrow(run_python):
    """An agent has no room for it."""
    modules = run_python("import sys, connscope.report.encode; print('pyarrow' in sys.modules)")
    assert modules == "False"
