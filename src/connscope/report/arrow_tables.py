"""Arrow streams that anybody may have written, as columns; what is not as it must be is refused.

Columns are views of the bytes that they were read from: nothing is allocated because a stranger
says how much there is.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pyarrow as pa  # type: ignore[import-untyped] # it ships no types
from pyarrow import ipc

from connscope.errors import ReportError
from connscope.row.outside_text import printable

__all__ = ("Table", "read_tables")

END = b"\xff\xff\xff\xff\0\0\0\0"
COLUMNS_AT_MOST = 1024
REASON_MOST = 200
TYPES = {
    *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(), pa.int64()),
    *(pa.string(), pa.binary(16)),
}

# Fields of the tables Message and RecordBatch in Arrow's flatbuffers.
HEADER, COMPRESSION = 2, 3


class Table(NamedTuple):
    """One stream.

    Attributes:
        height: how many rows it has.
        columns: arrays of pyarrow by name, without nulls.
    """

    height: int
    columns: Mapping[str, Any]


def read_tables(content: bytes) -> Iterator[Table]:
    """The tables of Arrow streams that stand one after the other.

    Raises:
        ReportError: they are not as `TYPES` and `Table` say, or not whole.
    """
    source = pa.BufferReader(content)
    while source.tell() < len(content):
        try:
            table = _table(source)
        except (pa.ArrowException, OSError, EOFError, ValueError, struct.error) as error:
            reason = printable(str(error).encode(errors="replace"))[:REASON_MOST]
            raise ReportError(f"a table is no stream of Arrow: {reason}") from error
        yield table


def _table(source: Any) -> Table:
    schema = ipc.read_schema(_message(source, "schema"))
    if len(schema) > COLUMNS_AT_MOST or len(set(schema.names)) != len(schema):
        raise ReportError(f"a table has {len(schema)} columns, or two of one name")
    for field in schema:
        if field.type not in TYPES:
            raise ReportError(f"column {field.name!r} is of type {field.type}")
    message = _message(source, "record batch")
    if _compressed(message.metadata.to_pybytes()):
        raise ReportError("a table is compressed in itself")
    batch = ipc.read_record_batch(message, schema)
    batch.validate(full=True)
    if source.read(len(END)) != END:
        raise ReportError("a table has more than one batch, or no end")
    columns = dict(zip(schema.names, batch.columns, strict=True))
    if any(column.null_count for column in columns.values()):
        raise ReportError("a table has nulls")
    return Table(batch.num_rows, columns)


def _message(source: Any, kind: str) -> Any:
    message = ipc.read_message(source)
    if message.type != kind:
        raise ReportError(f"{message.type} where a {kind} is expected")
    return message


def _compressed(metadata: bytes) -> bool:
    """Whether buffers of a record batch say that they are compressed: pyarrow would believe them
    how large they become. That the flatbuffer is whole was verified by it."""
    (root,) = struct.unpack_from("<I", metadata)
    at = _field_at(metadata, root, HEADER)
    (distance,) = struct.unpack_from("<I", metadata, at)
    return _field_at(metadata, at + distance, COMPRESSION) != 0


def _field_at(metadata: bytes, table: int, number: int) -> int:
    """Where a field of a table of a flatbuffer is; 0 if it is not there."""
    (distance,) = struct.unpack_from("<i", metadata, table)
    size_of_vtable, *_ = struct.unpack_from("<H", metadata, table - distance)
    slot = 4 + 2 * number
    if slot >= size_of_vtable:
        return 0
    (offset,) = struct.unpack_from("<H", metadata, table - distance + slot)
    return table + int(offset) if offset else 0
