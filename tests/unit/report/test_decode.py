from __future__ import annotations

import json
import sys
import tracemalloc

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
import pytest

from connscope.errors import ReportError
from connscope.report.decode import Limits, decode
from connscope.report.encode import encode, streams
from connscope.report.layout import MAJOR, MINOR, PREAMBLE, preamble
from connscope.report.report import make_report
from tests.unit.report.hostile import arrow_stream, sealed, with_column, with_table
from tests.unit.report.reports import A_NAME, a_look, content, table_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

REPORT = make_report(
    a_look(),
    4,
    3,
    table_of({1: 500, 2: 0}, pid=[1, 2]),
    table_of({7: 0}),
    np.array([8], np.uint64),
    [A_NAME],
)
NEWER = preamble()[:-1] + bytes((MINOR + 1,))


def bytes_of(*values: int | None):
    """A column of one byte each."""
    return pa.array(values, pa.uint8())


def refused(encoded: bytes, why: str, limits: Limits | None = None):
    """It is no report, and the message says why."""
    with pytest.raises(ReportError, match=why):
        decode(encoded, limits or Limits())


def test_something_else_is_refused():
    """What does not begin like a report is none."""
    refused(b'{"rows": []}', "no report of connscope")


@pytest.mark.parametrize(("major", "who"), [(MAJOR + 1, "reader"), (MAJOR - 1, "sender")])
def test_other_major_is_refused(major, who):
    """The message says who must be updated."""
    begin = preamble()[:-2] + bytes((major, 0))
    refused(begin + encode(REPORT)[PREAMBLE:], f"format {major}.*update the {who}")


def test_column_of_a_newer_minor_is_ignored():
    """Whoever does not know it reads the rest."""
    encoded = with_column(REPORT, "open", "mood.0", bytes_of(1, 2))
    assert content(decode(encoded)) == content(REPORT)


def test_table_of_a_newer_minor_is_ignored():
    """What a newer sender adds comes after what we know."""
    extra = arrow_stream(pa.table({"mood": bytes_of(1)}))
    assert content(decode(sealed([*streams(REPORT), extra], NEWER))) == content(REPORT)


def test_table_too_many_is_refused():
    """A sender of our minor adds nothing."""
    refused(sealed([*streams(REPORT), streams(REPORT)[-1]]), "follows the last table")


def test_column_that_an_older_minor_lacks_is_unknown():
    """It is 0 in every row, as unknown is."""
    report = make_report(a_look(), 0, None, table_of({1: 5}))
    without = decode(with_column(report, "open", "bytes_sent.0", None))
    assert without.open["bytes_sent"].tolist() == [0]


def test_user_that_is_not_told_is_unknown():
    """Nobody becomes root because a column is missing."""
    report = make_report(a_look(), 0, None, table_of({1: 0}, uid=0xFFFFFF05))
    without = decode(with_column(report, "owners", "uid.0", None))
    assert without.open["uid"].tolist() == [0xFFFFFFFF]


def test_missing_table_is_refused():
    """A report has all its tables."""
    refused(sealed(streams(REPORT)[:-1]), "table names is missing")


def test_report_that_was_sent_too_large_is_refused():
    """It is not even decompressed."""
    refused(encode(REPORT), "bytes, 100 are allowed", Limits(encoded_bytes=100))


def test_report_that_grows_too_large_is_refused():
    """A few kilobytes of zeros do not take the memory that they stand for."""
    bomb = preamble() + zstd.compress(bytes(64 << 20))
    tracemalloc.start()
    refused(bomb, "more than 1000000 bytes, decompressed", Limits(decoded_bytes=1_000_000))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 << 20


def test_window_too_large_is_refused():
    """A decompressor would take as much memory as the window that it is told."""
    options: dict[int, int] = {
        zstd.CompressionParameter.window_log: 27,
        zstd.CompressionParameter.content_size_flag: 0,
    }
    packer = zstd.ZstdCompressor(options=options)
    frame = packer.compress(b"".join(streams(REPORT))) + packer.flush()
    refused(preamble() + frame, "damaged")


def test_damaged_report_is_refused():
    """The checksum of zstd finds a bit that was turned."""
    encoded = bytearray(encode(REPORT))
    encoded[-1] ^= 1
    refused(bytes(encoded), "damaged")


@pytest.mark.parametrize("change", [lambda whole: whole[:-1], lambda whole: whole + b"x"])
def test_report_that_is_not_whole_is_refused(change):
    """Neither less nor more than one report is one."""
    refused(change(encode(REPORT)), "cut off, or something follows")


def test_too_many_rows_are_refused():
    """Open and ended ones count together."""
    report = make_report(a_look(), 0, None, table_of({1: 0, 2: 0}), table_of({7: 0}))
    refused(encode(report), "more than 2 rows", Limits(rows=2))


def test_rows_without_columns_are_refused():
    """A batch may say that it has any number of rows if it has no columns."""
    endless = arrow_stream(pa.table({"a": bytes_of(*range(9))}))
    refused(with_table(REPORT, "gone", endless), "gone has 9 rows", Limits(rows=8))


def test_too_many_names_are_refused():
    """Names are Python objects."""
    refused(encode(REPORT), "names has 1 rows, 0 are allowed", Limits(names=0))


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_table_that_is_compressed_in_itself_is_refused(compression):
    """pyarrow would allocate what a compressed buffer says that it becomes."""
    table = pa.ipc.open_stream(streams(REPORT)[3]).read_all()
    refused(with_table(REPORT, "open", arrow_stream(table, compression)), "compressed in itself")


@pytest.mark.parametrize(
    "column", [pa.array([[1], [2]]), pa.array(["a", "b"]).dictionary_encode(), pa.array([1.5, 2])]
)
def test_column_of_another_type_is_refused(column):
    """A format of few types has few ways to go wrong."""
    refused(with_column(REPORT, "open", "mood", column), "is of type")


def test_wider_column_is_refused():
    """The bytes of a number are bytes."""
    wide = pa.array([1, 2], pa.uint16())
    refused(with_column(REPORT, "open", "rtt_us.0", wide), "not the bytes of a number")


def test_port_that_is_none_is_refused():
    """A third byte of a port would make it 65536 and more."""
    refused(with_column(REPORT, "open", "local_port.2", bytes_of(1, 0)), "byte 2 of a value")


def test_null_is_refused():
    """What is unknown has a value that says so."""
    refused(with_column(REPORT, "open", "rtt_us.0", bytes_of(1, None)), "has nulls")


def test_second_batch_is_refused():
    """A table is one batch."""
    table = pa.ipc.open_stream(streams(REPORT)[5]).read_all()
    memory = pa.BufferOutputStream()
    with pa.ipc.new_stream(memory, table.schema) as writer:
        for _ in range(2):
            writer.write_table(table)
    refused(with_table(REPORT, "gone", memory.getvalue().to_pybytes()), "more than one batch")


def test_two_columns_of_one_name_are_refused():
    """Nobody could say which holds."""
    twice = pa.Table.from_arrays([bytes_of(1), bytes_of(2)], names=["tag.0", "tag.0"])
    refused(with_table(REPORT, "gone", arrow_stream(twice)), "two of one name")


@pytest.mark.parametrize("column", ["owner", "local_address", "peer_address"])
def test_reference_to_nothing_is_refused(column):
    """An owner or address that is not in its table."""
    refused(with_column(REPORT, "open", f"{column}.0", bytes_of(0, 99)), "99 of . is referred to")


def test_id_told_twice_is_refused():
    """Two open rows of one connection contradict each other."""
    refused(with_column(REPORT, "open", "cookie.0", bytes_of(3, 1)), "told twice")


def test_connection_in_two_tables_is_refused():
    """Open and gone contradict each other."""
    refused(with_column(REPORT, "gone", "cookie.0", bytes_of(3)), "in two tables")


def test_full_report_with_gone_ones_is_refused():
    """There is nothing before it that something could be gone from."""
    refused(with_column(REPORT, "look", "base_sequence", None), "full report tells what is gone")


def test_base_that_is_later_is_refused():
    """A report builds on one before it."""
    later = pa.array([4], pa.uint64())
    refused(with_column(REPORT, "look", "base_sequence", later), "which is later")


def test_time_out_of_range_is_refused():
    """Arithmetic with it would overflow."""
    late = pa.array([1 << 63], pa.uint64())
    refused(with_column(REPORT, "look", "time_ns", late), "time of the look is not below")


def test_time_of_a_row_out_of_range_is_refused():
    """The same in a row: a process that started in the year 2500."""
    refused(with_column(REPORT, "owners", "process_start_ns.7", bytes_of(0, 0, 255)), "of a row")


def test_open_row_of_another_time_is_refused():
    """Later wins when rows are merged: nobody makes a row later than its look."""
    refused(with_column(REPORT, "open", "age_ns.0", bytes_of(1, 0)), "not of the time of the look")


def test_text_that_is_not_utf8_is_refused():
    """Text is text."""
    broken = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.array([0, 2], pa.int32()).buffers()[1], pa.py_buffer(b"\xff\xfe")]
    )
    refused(with_column(REPORT, "names", "text", broken), "no stream of Arrow")


@pytest.mark.parametrize(
    ("table", "column"), [("names", "text"), ("names", "what"), ("look", "host_name")]
)
def test_text_that_moves_a_cursor_is_refused(table, column):
    """An agent makes its texts safe; who does not is none."""
    refused(with_column(REPORT, table, column, pa.array(["\x1b[2J"])), "not printable")


@pytest.mark.parametrize("column", ["host_id", "boot_id"])
def test_report_of_nobody_is_refused(column):
    """Rows are kept by host and boot."""
    refused(with_column(REPORT, "look", column, pa.array([""])), "which host or boot")


@pytest.mark.parametrize(
    "details",
    [
        *(
            "{",
            "[]",
            f'{{"losses": {{"rows": {10**19}}}}}',
            '{"losses": {"rows": -1}}',
            '{"losses": {"rows": "many"}}',
            "[" * 5000,
        ),
        *(json.dumps({"limits": ["\n"]}), json.dumps({"audit": {"a": {"b": {}}}})),
        *(
            '{"groups": {"ends": "maybe"}}',
            '{"groups": ["ends"]}',
            json.dumps({"groups": {"\a": "exact"}}),
        ),
    ],
)
def test_details_that_are_none_are_refused(details):
    """Limits are sentences, losses are counts, verdicts are plain, groups have three words."""
    refused(with_column(REPORT, "look", "details", pa.array([details])), "details|printable")


def test_unknown_detail_is_ignored():
    """A newer minor may tell more."""
    encoded = with_column(REPORT, "look", "details", pa.array(['{"mood": [1]}']))
    assert decode(encoded).look.limits == ()


def test_report_of_an_older_minor_has_no_groups():
    """It is read; whoever wants to know how sure they are has to look at rows."""
    older = with_column(REPORT, "look", "details", pa.array(['{"limits": ["no accept"]}']))
    look = decode(preamble()[:-1] + b"\0" + older[PREAMBLE:]).look
    assert look.limits == ("no accept",)
    assert look.groups == {}


def test_column_that_every_minor_has_is_asked_for():
    """No report is without a time."""
    refused(with_column(REPORT, "look", "time_ns", None), "no column 'time_ns'")
