"""Reports as bytes: Arrow streams in zstd, see ``docs/report.md``.

Agents use this: pyarrow, which takes 40 MB of memory, is for those who read.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import nanoarrow as na  # type: ignore[import-untyped] # it ships no types
import numpy as np
import numpy.typing as npt
from nanoarrow.ipc import StreamWriter  # type: ignore[import-untyped] # the same

from connscope.report.layout import LOOK_NUMBERS, Details, preamble
from connscope.report.numbers import Numbers, bytes_apart
from connscope.report.report import Look, Name, Report
from connscope.report.tables import (
    ADDRESS_BYTES,
    ENDS,
    OWNER,
    distinct,
    id_columns,
    owner_columns,
    row_columns,
)
from connscope.row.columns import Rows

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ("encode", "streams")

LEVEL = 3
"""Of the levels that take a millisecond the one that finds most; what is left is noise."""

OPTIONS: dict[int, int] = {
    zstd.CompressionParameter.compression_level: LEVEL,
    zstd.CompressionParameter.checksum_flag: 1,
}

NUMBERS = {name: getattr(na, name)() for name in {*LOOK_NUMBERS.values(), "uint32"}}
UINT8 = NUMBERS["uint8"]
BYTES_16 = na.fixed_size_binary(ADDRESS_BYTES)
STRING = na.string()

Field = tuple[Any, Any]
"""A column of Arrow: its type and its array."""


def encode(report: Report) -> bytes:
    """The bytes of a report.

    Raises:
        ReportError: a time in it is none.
    """
    return preamble() + zstd.compress(b"".join(streams(report)), options=OPTIONS)


def streams(report: Report) -> Sequence[bytes]:
    """The tables of a report in the order of `layout.TABLES`, an Arrow stream each."""
    both = (report.open, report.ended)
    owners, owner_of = _owners(both)
    addresses, local, peer = _addresses(both)
    references = {"owner": owner_of, "local_address": local, "peer_address": peer}
    here = len(report.open)
    time_ns = report.look.time_ns
    tables = [
        (1, _look_fields(report)),
        (len(owners), {**_apart(owner_columns(owners)), **_fixed("comm", owners["comm"])}),
        (len(addresses), _fixed("address", addresses)),
    ]
    for rows, part in ((report.open, slice(here)), (report.ended, slice(here, None))):
        referred = {name: numbers[part] for name, numbers in references.items()}
        tables.append((len(rows), _apart(row_columns(rows, time_ns, referred))))
    tables.append((len(report.gone), _apart(id_columns(report.gone))))
    tables.append((len(report.names), _name_fields(report.names)))
    return [_stream(count, fields) for count, fields in tables]


def _owners(batches: Sequence[Rows]) -> tuple[npt.NDArray[Any], Numbers]:
    """What is different of them, and which each row has."""
    owners = np.empty(sum(map(len, batches)), OWNER)
    for name in OWNER.names or ():
        np.concatenate([rows[name] for rows in batches], out=owners[name])
    first, which = distinct(owners)
    return owners[first], which


def _addresses(batches: Sequence[Rows]) -> tuple[npt.NDArray[np.uint8], Numbers, Numbers]:
    """What is different of them, and which are the ends of each row."""
    ends = np.ascontiguousarray(np.concatenate([rows[name] for name in ENDS for rows in batches]))
    first, which = distinct(ends.view(f"V{ADDRESS_BYTES}")[:, 0])
    local, peer = np.split(which, 2)
    return ends[first], local, peer


def _look_fields(report: Report) -> dict[str, Field]:
    look = report.look
    numbers = {name: getattr(look, name, None) for name in LOOK_NUMBERS}
    numbers |= {"sequence": report.sequence, "base_sequence": report.base}
    fields = {
        name: _numbers(np.array([number], dtype))
        for name, dtype in LOOK_NUMBERS.items()
        if (number := numbers[name]) is not None
    }
    texts = {"host_id": look.host_id, "host_name": look.host_name, "boot_id": look.boot_id}
    texts["details"] = _details(look)
    return fields | {name: _texts([text]) for name, text in texts.items()}


def _details(look: Look) -> str:
    audit = {counter: dict(verdict) for counter, verdict in look.audit.items()}
    told = (look.limits, dict(look.losses), audit, dict(look.groups))
    return msgspec.json.encode(Details(*told)).decode()


def _name_fields(names: Sequence[Name]) -> dict[str, Field]:
    pids = np.array([name.pid for name in names], np.uint32)
    starts = np.array([name.process_start_ns for name in names], np.uint64)
    return {
        "pid": _numbers(pids),
        "process_start_ns": _numbers(starts),
        "what": _texts([name.what for name in names]),
        "text": _texts([name.text for name in names]),
    }


def _apart(columns: Mapping[str, Numbers]) -> dict[str, Field]:
    """The bytes of all columns; those that are alike stand together, the lowest first."""
    apart = [
        (place, f"{name}.{place}", column)
        for name, values in columns.items()
        for place, column in bytes_apart(values).items()
    ]
    apart.sort(key=lambda column: column[0])
    return {name: (UINT8, _array(UINT8, len(column), column)) for _, name, column in apart}


def _fixed(name: str, values: npt.NDArray[Any]) -> dict[str, Field]:
    """A column of 16 bytes each."""
    content = np.ascontiguousarray(values).view(np.uint8).ravel()
    return {name: (BYTES_16, _array(BYTES_16, len(values), content))}


def _texts(texts: Sequence[str]) -> Field:
    encoded = [text.encode() for text in texts]
    ends = np.zeros(len(texts) + 1, np.int32)
    np.cumsum([len(text) for text in encoded], out=ends[1:])
    return STRING, na.c_array_from_buffers(STRING, len(texts), [None, ends, b"".join(encoded)])


def _numbers(values: npt.NDArray[Any]) -> Field:
    kind = NUMBERS[values.dtype.name]
    return kind, _array(kind, len(values), values)


def _array(kind: Any, count: int, content: npt.NDArray[Any]) -> Any:
    return na.c_array_from_buffers(kind, count, [None, content])


def _stream(count: int, fields: Mapping[str, Field]) -> bytes:
    schema = na.struct({name: kind for name, (kind, _) in fields.items()})
    memory = io.BytesIO()
    writer = StreamWriter.from_writable(memory)
    children = [array for _, array in fields.values()]
    writer.write_array(na.c_array_from_buffers(schema, count, [None], children=children))
    writer.close()
    return memory.getvalue()
