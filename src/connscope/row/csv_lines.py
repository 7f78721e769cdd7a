"""Rows as CSV (RFC 4180, lines end with LF): a header, then a line for each row.

Columns, times and addresses are those of JSON, what is unknown is empty, a list has spaces between
its words. Text from outside stands in quotes; where a spreadsheet would read it as a formula, an
apostrophe stands before it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from connscope.row.columns import Rows
from connscope.row.flat_columns import FLAT_COLUMNS, FlatColumn, Form
from connscope.row.number_texts import NumberTexts
from connscope.row.outside_text import printable
from connscope.row.text_rows import TextColumn, TextRows, looked_up_column
from connscope.row.wall_time import rfc3339_columns

__all__ = ("csv_header", "csv_lines")

NUMBERS = tuple(each.column for each in FLAT_COLUMNS if each.form is Form.NUMBER)
SOME = 2048
"""How many rows are made to text at once."""
FORMULA_STARTS = frozenset("=+-@＝＋－＠")


def csv_header() -> str:
    """The names of the columns, as one line."""
    return ",".join(each.name for each in FLAT_COLUMNS) + "\n"


def csv_lines(rows: Rows, wall_minus_boottime_ns: int) -> str:
    """The rows as lines, each with its newline; empty text for no rows."""
    return "".join(
        _some_lines(rows[start : start + SOME], wall_minus_boottime_ns)
        for start in range(0, len(rows), SOME)
    )


def _some_lines(rows: Rows, wall_minus_boottime_ns: int) -> str:
    lines, numbers, separator = TextRows(len(rows)), NumberTexts(rows, NUMBERS), ""
    for column in FLAT_COLUMNS:
        lines.add(separator)
        known = column.known(rows)
        if known.any():
            pieces = _pieces(column, rows, numbers, wall_minus_boottime_ns)
            lines.add(*pieces, where=bool(known.all()) or known)
        separator = ","
    lines.add("\n")
    return lines.text()


def _pieces(
    column: FlatColumn, rows: Rows, numbers: NumberTexts, wall_minus_boottime_ns: int
) -> tuple[TextColumn, ...]:
    values = column.values(rows)
    if column.form is Form.NUMBER:
        return (numbers.text(column.column),)
    if column.form is Form.TIME:
        return rfc3339_columns(values, wall_minus_boottime_ns)
    if column.texts:
        return (column.texts(values),)
    return (looked_up_column(np.ascontiguousarray(values), _quoted),)


@lru_cache(65536)
def _quoted(raw: bytes) -> str:
    text = printable(raw)
    if text.lstrip()[:1] in FORMULA_STARTS:
        text = f"'{text}"
    return '"{}"'.format(text.replace('"', '""'))
