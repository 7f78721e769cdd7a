"""Reports from bytes that anybody may have sent: read as they were meant, or refused.

Servers use this; it is the one module of the room that needs pyarrow.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from connscope.errors import ReportError
from connscope.report.arrow_tables import Table, read_tables
from connscope.report.layout import (
    LOOK_NUMBERS,
    LOOK_TEXTS,
    MAJOR,
    MINOR,
    PREAMBLE,
    TABLES,
    Details,
    version_of,
)
from connscope.report.numbers import Numbers, joined
from connscope.report.report import Ids, Look, Name, Report
from connscope.report.tables import ADDRESS_BYTES, ids_of, owners_of, rows_of
from connscope.report.validity import check, check_text
from connscope.row.columns import Rows

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

__all__ = ("DEFAULT_LIMITS", "Limits", "decode")

WINDOW_LOG_MOST = 23
OPTIONS: dict[int, int] = {zstd.DecompressionParameter.window_log_max: WINDOW_LOG_MOST}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a report may have at most.

    Attributes:
        encoded_bytes: as it was sent.
        decoded_bytes: after decompression.
        rows: open and ended ones together; ids that are gone; owners and addresses of rows.
        names: of processes.
    """

    encoded_bytes: int = 32 << 20
    decoded_bytes: int = 256 << 20
    rows: int = 1_000_000
    names: int = 200_000


DEFAULT_LIMITS = Limits()


def decode(encoded: bytes, limits: Limits = DEFAULT_LIMITS) -> Report:
    """The report of some bytes.

    Raises:
        ReportError: it is none, it is damaged, it is larger than allowed, it contradicts itself,
            or it is of a version that is not understood; the message says which.
    """
    if len(encoded) > limits.encoded_bytes:
        raise ReportError(f"a report of {len(encoded)} bytes, {limits.encoded_bytes} are allowed")
    minor = _minor(encoded)
    tables = read_tables(_decompressed(encoded[PREAMBLE:], limits.decoded_bytes))
    found = {name: _next(tables, name, limits) for name in TABLES}
    if minor <= MINOR and next(tables, None):
        raise ReportError("something follows the last table")
    if found["open"].height + found["ended"].height > limits.rows:
        raise ReportError(f"more than {limits.rows} rows")
    return _report(found)


def _minor(encoded: bytes) -> int:
    version = version_of(encoded)
    if not version:
        raise ReportError("this is no report of connscope")
    if version.major != MAJOR:
        older = "sender" if version.major < MAJOR else "reader"
        raise ReportError(
            f"a report of format {version.major}, this reads format {MAJOR}: update the {older}"
        )
    return version.minor


def _decompressed(content: bytes, most: int) -> bytes:
    stream = zstd.ZstdDecompressor(options=OPTIONS)
    try:
        decoded = stream.decompress(content, max_length=most + 1)
    except zstd.ZstdError as error:
        raise ReportError(f"a report is damaged: {error}") from error
    if len(decoded) > most:
        raise ReportError(f"a report of more than {most} bytes, decompressed")
    if not stream.eof or stream.unused_data:
        raise ReportError("a report is cut off, or something follows it")
    return decoded


def _next(tables: Iterator[Table], name: str, limits: Limits) -> Table:
    table = next(tables, None)
    if table is None:
        raise ReportError(f"table {name} is missing")
    most = {"look": 1, "names": limits.names, "addresses": 2 * limits.rows}.get(name, limits.rows)
    if table.height > most:
        raise ReportError(f"table {name} has {table.height} rows, {most} are allowed")
    return table


def _report(tables: Mapping[str, Table]) -> Report:
    look, sequence, base = _look(tables["look"])
    owners = owners_of(
        _joined(tables["owners"], TABLES["owners"]), _bytes_16(tables["owners"], "comm", "V16")
    )
    addresses = _bytes_16(tables["addresses"], "address", (np.uint8, ADDRESS_BYTES))
    open_rows, ended = (
        _rows(tables[name], name, look.time_ns, owners, addresses) for name in ("open", "ended")
    )
    gone: Ids = ids_of(_joined(tables["gone"], TABLES["gone"]))
    report = Report(
        look=look,
        sequence=sequence,
        base=base,
        open=open_rows,
        ended=ended,
        gone=gone,
        names=_names(tables["names"]),
    )
    check(report)
    return report


def _rows(
    table: Table, name: str, time_ns: int, owners: npt.NDArray[Any], addresses: Numbers
) -> Rows:
    return rows_of(_joined(table, TABLES[name]), time_ns, owners, addresses)


def _joined(table: Table, types: Mapping[str, Any]) -> dict[str, Numbers]:
    """All columns of some types from their bytes; of what is not there 0."""
    apart: dict[str, dict[int, Numbers]] = {name: {} for name in types}
    for column, array in table.columns.items():
        name, _, place = column.rpartition(".")
        if name in apart:
            if not (place.isascii() and place.isdigit()) or str(array.type) != "uint8":
                raise ReportError(f"column {column!r} is not the bytes of a number")
            apart[name][int(place[:3])] = array.to_numpy()
    return {name: joined(apart[name], dtype, table.height) for name, dtype in types.items()}


def _bytes_16(table: Table, name: str, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    array = _column(table, name, "fixed_size_binary[16]")
    content = array.buffers()[1]
    begin = array.offset * ADDRESS_BYTES
    whole = np.frombuffer(content, np.uint8) if content else np.empty(0, np.uint8)
    cells = np.ascontiguousarray(whole[begin : begin + table.height * ADDRESS_BYTES])
    if np.dtype(dtype).subdtype:
        return cells.reshape(-1, ADDRESS_BYTES)
    return cells.view(dtype)


def _look(table: Table) -> tuple[Look, int, int | None]:
    if table.height != 1:
        raise ReportError("table look has no row")
    numbers = {
        name: _column(table, name, kind)[0].as_py()
        for name, kind in LOOK_NUMBERS.items()
        if name in table.columns or name != "base_sequence"
    }
    texts = {name: _column(table, name, "string")[0].as_py() for name in LOOK_TEXTS}
    try:
        details = msgspec.json.decode(texts.pop("details"), type=Details)
    except (msgspec.MsgspecError, ValueError) as error:
        raise ReportError(f"the details of a look: {error}") from error
    sequence, base = numbers.pop("sequence"), numbers.pop("base_sequence", None)
    told = {name: getattr(details, name) for name in details.__struct_fields__}
    return Look(**texts, **numbers, **told), sequence, base


def _names(table: Table) -> tuple[Name, ...]:
    kinds = {"pid": "uint32", "process_start_ns": "uint64", "what": "string", "text": "string"}
    columns = [_column(table, name, kind).to_pylist() for name, kind in kinds.items()]
    names = tuple(map(Name, *columns))
    for name in names:
        check_text(name.what, "what is told")
        check_text(name.text, "a name")
    return names


def _column(table: Table, name: str, kind: str) -> Any:
    array = table.columns.get(name)
    if array is None or str(array.type) != kind:
        raise ReportError(f"there is no column {name!r} of type {kind}")
    return array
