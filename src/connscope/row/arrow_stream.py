"""Rows as an Arrow IPC stream, one record batch for each call.

Columns are those of CSV: numbers unsigned as in the row, times timestamps in UTC with nanoseconds,
everything else UTF-8; what is unknown is null.
"""

from __future__ import annotations

import io
from typing import Any, BinaryIO

import nanoarrow as na  # type: ignore[import-untyped] # it ships no types
import numpy as np
import numpy.typing as npt
from nanoarrow.ipc import StreamWriter  # type: ignore[import-untyped] # the same

from connscope.row.columns import ROW, Rows
from connscope.row.flat_columns import FLAT_COLUMNS, FlatColumn, Form
from connscope.row.outside_text import printable
from connscope.row.text_rows import Mask, TextColumn, looked_up_column

__all__ = ("ArrowStream",)


def _type(column: FlatColumn) -> Any:
    if column.form is Form.TIME:
        return na.timestamp("ns", timezone="UTC")
    return getattr(na, ROW[column.column].name)() if column.form is Form.NUMBER else na.string()


TYPES = {column.name: _type(column) for column in FLAT_COLUMNS}
SCHEMA = na.struct(TYPES)


class ArrowStream:
    """Writes a stream of rows.

    Args:
        file: open for writing; it stays open.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        # The writer would turn the error of a closed pipe into one of its own.
        self._memory = io.BytesIO()
        self._writer = StreamWriter.from_writable(self._memory)

    def write(self, rows: Rows, wall_minus_boottime_ns: int) -> None:
        """One batch, of no rows too: the first one has the schema with it."""
        children = [_array(column, rows, wall_minus_boottime_ns) for column in FLAT_COLUMNS]
        self._writer.write_array(
            na.c_array_from_buffers(SCHEMA, len(rows), [None], children=children)
        )
        self._pass_on()

    def close(self) -> None:
        """Writes the end of the stream."""
        self._writer.close()
        self._pass_on()

    def _pass_on(self) -> None:
        self._file.write(self._memory.getvalue())
        self._memory.seek(0)
        self._memory.truncate()


def _array(column: FlatColumn, rows: Rows, wall_minus_boottime_ns: int) -> Any:
    known = column.known(rows)
    validity = None if known.all() else np.packbits(known, bitorder="little")
    buffers = _buffers(column, rows, known, wall_minus_boottime_ns)
    return na.c_array_from_buffers(TYPES[column.name], len(rows), [validity, *buffers])


def _buffers(
    column: FlatColumn, rows: Rows, known: Mask, wall_minus_boottime_ns: int
) -> tuple[Any, ...]:
    values = np.ascontiguousarray(column.values(rows))
    if column.form is Form.NUMBER:
        return (values,)
    if column.form is Form.TIME:
        return (np.where(known, values.astype(np.int64) + wall_minus_boottime_ns, 0),)
    if not known.any():
        return np.zeros(len(rows) + 1, np.int32), b""
    texts = column.texts(values) if column.texts else looked_up_column(values, printable)
    return _utf8(texts, known)


def _utf8(texts: TextColumn, known: Mask) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """Where each text ends, and the texts one after the other."""
    if isinstance(texts, bytes):
        texts = np.broadcast_to(np.frombuffer(texts, np.uint8), (len(known), len(texts)))
    there = (texts != 0) & known[:, None]
    ends = np.zeros(len(known) + 1, np.int32)
    np.cumsum(there.sum(axis=1), out=ends[1:])
    return ends, texts[there]
