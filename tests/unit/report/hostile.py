"""Encoded reports with something wrong in them, below the checksum of zstd."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped] # it ships no types

from connscope.report.encode import streams
from connscope.report.layout import TABLES, preamble
from connscope.report.report import Report

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def sealed(tables: Sequence[bytes], begin: bytes | None = None) -> bytes:
    """Tables as an encoded report."""
    return (begin or preamble()) + zstd.compress(b"".join(tables))


def with_table(report: Report, name: str, table: bytes) -> bytes:
    """The encoded report with another table in place of one."""
    tables = list(streams(report))
    tables[list(TABLES).index(name)] = table
    return sealed(tables)


def with_column(report: Report, table: str, column: str, values: Any) -> bytes:
    """The encoded report with a column replaced or added; None takes it away."""
    stream = streams(report)[list(TABLES).index(table)]
    content = pa.ipc.open_stream(stream).read_all()
    columns = dict(zip(content.column_names, content.columns, strict=True))
    columns.pop(column, None)
    if values is not None:
        columns[column] = values
    return with_table(report, table, arrow_stream(pa.table(columns)))


def arrow_stream(content: Any, compression: str | None = None) -> bytes:
    """A table as a stream of one batch."""
    memory = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    batches = content.combine_chunks().to_batches()
    with pa.ipc.new_stream(memory, content.schema, options=options) as writer:
        for batch in batches or [pa.RecordBatch.from_pylist([], schema=content.schema)]:
            writer.write_batch(batch)
    whole: bytes = memory.getvalue().to_pybytes()
    return whole
