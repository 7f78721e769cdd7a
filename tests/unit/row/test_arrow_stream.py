"""The Arrow stream says what JSON says, to whoever reads Arrow."""

from __future__ import annotations

import io
import json
from typing import Any

import nanoarrow as na  # type: ignore[import-untyped] # it ships no types
import numpy as np
import pytest
from hypothesis import given

from connscope.row.arrow_stream import ArrowStream
from connscope.row.columns import ROW, Rows
from connscope.row.csv_lines import csv_header
from connscope.row.json_lines import json_lines
from connscope.row.wall_time import rfc3339_text
from connscope.row.words import Kind
from tests.unit.sample_rows import any_rows, one_row, sensible_rows

OFFSET_NS = 1_700_000_000 * 1_000_000_000
TIMES = ("time", "opened_at", "closed_at", "process_started_at")
IDS = ("connection_id", "socket_id", "subflow_of", "cgroup_id")


def written(*batches: Rows) -> bytes:
    """A whole stream."""
    file = io.BytesIO()
    stream = ArrowStream(file)
    for rows in batches:
        stream.write(rows, OFFSET_NS)
    stream.close()
    return file.getvalue()


def read(content: bytes) -> list[dict[str, Any]]:
    """The rows of a stream, times in nanoseconds, without what is null."""
    array = na.ArrayStream.from_readable(content).read_all()
    names = [array.schema.field(place).name for place in range(array.schema.n_fields)]
    columns = []
    for name, child in zip(names, array.iter_children(), strict=True):
        columns.append(times(child) if name in TIMES else child.to_pylist())
    return [
        {name: value for name, value in zip(names, values, strict=True) if value is not None}
        for values in zip(*columns, strict=True)
    ]


def times(array: Any) -> list[int | None]:
    """Nanoseconds: Python's own times have none."""
    found: list[int | None] = []
    for chunk in array.iter_chunks():
        view = na.c_array(chunk).view()
        bits = np.frombuffer(view.buffer(0), np.uint8)
        known = np.unpackbits(bits, count=len(chunk), bitorder="little")
        values = np.frombuffer(view.buffer(1), np.int64)[: len(chunk)].tolist()
        there = known.tolist() if len(bits) else [1] * len(chunk)
        found += [value if ok else None for value, ok in zip(values, there, strict=True)]
    return found


def expected(line: str) -> dict[str, Any]:
    """What Arrow has for an object of JSON."""
    values = json.loads(line)
    for name in IDS:
        if name in values:
            values[name] = int(values[name])
    if "exact" in values:
        values["exact"] = " ".join(values["exact"])
    return dict(values)


@given(sensible_rows())
def test_says_what_json_says(rows: Rows):
    """Each value that JSON has is in the column of that name, and the others are null."""
    found = read(written(rows))
    for row in found:
        row.update({name: rfc3339_text(row[name], 0) for name in TIMES if name in row})
    assert found == [expected(line) for line in json_lines(rows, OFFSET_NS).splitlines()]


@given(any_rows())
def test_any_bytes_make_a_stream(rows: Rows):
    """Numbers that no word stands for end nothing."""
    assert len(read(written(rows))) == len(rows)


def test_columns_are_those_of_csv():
    """Also of a stream without rows."""
    schema = na.ArrayStream.from_readable(written(np.zeros(0, ROW))).schema
    names = [schema.field(place).name for place in range(schema.n_fields)]
    assert names == csv_header().rstrip("\n").split(",")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("connection_id", "uint64"),
        ("local_port", "uint16"),
        ("time", "timestamp('ns', 'UTC')"),
        ("local_address", "string"),
    ],
)
def test_type(name: str, text: str):
    """Numbers have the width of the row, times are times."""
    schema = na.ArrayStream.from_readable(written(np.zeros(0, ROW))).schema
    fields = {schema.field(place).name: schema.field(place) for place in range(schema.n_fields)}
    assert text in repr(fields[name])


def test_several_batches_are_one_stream():
    """One schema, then each batch."""
    one, two = one_row(kind=Kind.SNAPSHOT, pid=1), one_row(kind=Kind.SNAPSHOT, pid=2)
    assert [row["pid"] for row in read(written(one, two))] == [1, 2]


def test_text_from_outside_is_printable():
    """A process name is escaped as everywhere."""
    row = one_row(kind=Kind.SNAPSHOT, pid=1, comm=b"\x1b[31m\xff")
    assert read(written(row))[0]["comm"] == r"\x1b[31m\xff"


class ClosedPipe(io.BytesIO):
    """A file that nobody reads any more."""

    def write(self, content: object) -> int:
        raise BrokenPipeError


def test_closed_pipe_is_one():
    """The error is that of any other output."""
    with pytest.raises(BrokenPipeError):
        ArrowStream(ClosedPipe()).write(one_row(), OFFSET_NS)
