"""CSV says what JSON says, and nothing from outside can do harm in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import given

from connscope.row.columns import ROW, Rows, lost_row
from connscope.row.csv_lines import csv_header, csv_lines
from connscope.row.json_lines import json_lines
from connscope.row.words import Kind, Tier
from tests.unit.sample_rows import any_rows, one_row, sensible_rows

OFFSET_NS = 1_700_000_000 * 1_000_000_000
COLUMNS = csv_header().rstrip("\n").split(",")


def parse(rows: Rows) -> list[dict[str, str]]:
    """The lines as any reader of CSV sees them; what is empty left out."""
    text = io.StringIO(csv_header() + csv_lines(rows, OFFSET_NS), newline="")
    return [{name: cell for name, cell in row.items() if cell} for row in csv.DictReader(text)]


def as_cells(line: str) -> dict[str, str]:
    """What CSV has for an object of JSON."""
    cells = {
        name: " ".join(value) if isinstance(value, list) else str(value)
        for name, value in json.loads(line).items()
    }
    if cells.get("comm", "").lstrip()[:1] in tuple("=+-@＝＋－＠"):
        cells["comm"] = f"'{cells['comm']}"
    return {name: cell for name, cell in cells.items() if cell}


def comm_line(comm: bytes) -> str:
    """The line of a row of a process with that name."""
    return csv_lines(one_row(kind=Kind.SNAPSHOT, pid=1, comm=comm), 0)


def test_header():
    """The names are those of JSON, in its order."""
    assert COLUMNS[:2] == ["kind", "tier"]
    assert COLUMNS[-2:] == ["queue_length", "queue_limit"]
    assert len(set(COLUMNS)) == len(COLUMNS)


@given(sensible_rows())
def test_says_what_json_says(rows: Rows):
    """Each value that JSON has is in the cell of that name, and no other cell has any."""
    assert parse(rows) == [as_cells(line) for line in json_lines(rows, OFFSET_NS).splitlines()]


@given(any_rows())
def test_any_bytes_make_lines(rows: Rows):
    """Numbers that no word stands for end nothing; each line has all columns."""
    lines = list(csv.reader(io.StringIO(csv_lines(rows, 0), newline="")))
    assert [len(line) for line in lines] == [len(COLUMNS)] * len(rows)


@given(any_rows())
def test_no_control_character(rows: Rows):
    """But for the end of each line there is nothing that a terminal would obey."""
    assert csv_lines(rows, 0).replace("\n", "").isprintable()


@pytest.mark.parametrize(
    ("comm", "cell"),
    [
        (b"nginx: worker", '"nginx: worker"'),
        (b"=1+1", '"\'=1+1"'),
        (b"+1", '"\'+1"'),
        (b"-1", '"\'-1"'),
        (b"@sum", '"\'@sum"'),
        (b"  =1", '"\'  =1"'),
        ("＝1".encode(), '"\'＝1"'),
        (b'a"b,c', '"a""b,c"'),
        (b"\t=1", '"\\x09=1"'),
        (b"a\r\nb", '"a\\x0d\\x0ab"'),
        (b"\x1b[31m", '"\\x1b[31m"'),
    ],
)
def test_text_from_outside_is_quoted(comm: bytes, cell: str):
    """A process name is no formula, starts no new cell and no new line."""
    assert f",{cell}," in comm_line(comm)


def test_lost_row():
    """What is missing is said in its own column."""
    assert parse(lost_row(3, 0, Tier.BTF)) == [{"kind": "lost", "tier": "btf", "lost": "3"}]


@pytest.mark.parametrize("count", [0, 1, 2047, 2048, 2049])
def test_a_line_for_each_row(count: int):
    """However many rows there are."""
    assert csv_lines(np.zeros(count, ROW), 0).count("\n") == count
