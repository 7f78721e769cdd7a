"""A report of 10,000 connections of a busy server, against what others would send.

The same rows as JSON lines in gzip, which is what most agents send, and as an Arrow stream of
pyarrow with zstd in it, texts as dictionaries, as its documentation advises. All take turns; ours
is read back and must be what was sent. Counted is our CPU from sorted rows to bytes, compression
and all; what it takes to find the changed rows is told beside it.
"""

from __future__ import annotations

import gzip
import statistics
import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped] # it ships no types

from bench.result import Result, spread
from bench.rigs.busy_server import LOOK_NS, busy_server, later
from connscope.report.decode import decode
from connscope.report.delta import Deltas
from connscope.report.encode import encode
from connscope.report.report import Look, make_report
from connscope.row.columns import ROW, Rows
from connscope.row.json_lines import json_lines

__all__ = ("measure",)

ROWS = 10_000
TURNS = 25
CHANGED = 0.1
TARGET_MS, TARGET_BYTES = 8, 35
NOBODY_ENDED: Rows = busy_server(0)


def measure() -> tuple[Result, ...]:
    """Milliseconds and bytes a row: ours, JSON in gzip, pyarrow; a full report and a delta."""
    rows = busy_server(ROWS)
    report = make_report(_look(LOOK_NS), 0, None, rows)
    ways: dict[str, Callable[[], bytes]] = {
        "ours": lambda: encode(report),
        "JSON": lambda: _json(rows),
        "pyarrow": lambda: _pyarrow(rows),
    }
    took = {name: list[float]() for name in ways}
    for _ in range(TURNS):
        for name, way in ways.items():
            took[name].append(_milliseconds(way))
    size = {name: len(way()) / ROWS for name, way in ways.items()}
    if decode(encode(report)).open.tobytes() != report.open.tobytes():
        raise ValueError("the report that was read is not the one that was sent")
    others = ", ".join(
        f"{name} {spread(took[name], 1)} ms and {size[name]:.1f} bytes a row"
        for name in ("JSON", "pyarrow")
    )
    return (
        Result(
            f"a full report of {ROWS:,} connections, against JSON lines in gzip and pyarrow's "
            "stream with zstd of the same rows",
            f"{spread(took['ours'], 1)} ms and {size['ours']:.1f} bytes a row; {others}",
            f"< {TARGET_MS} ms, < {TARGET_BYTES} bytes a row",
            statistics.median(took["ours"]) < TARGET_MS and size["ours"] < TARGET_BYTES,
        ),
        _delta(rows, size["ours"] * ROWS),
    )


def _delta(rows: Rows, full_bytes: float) -> Result:
    """The report after it, a tenth of the connections having said something."""
    after = later(rows, CHANGED)
    took = list[float]()
    encoded = b""
    for _ in range(TURNS):
        deltas = Deltas()
        deltas.next(_look(LOOK_NS), rows, NOBODY_ENDED)
        begin = time.thread_time()
        encoded = encode(deltas.next(_look(LOOK_NS + 3 * 10**9), after, NOBODY_ENDED))
        took.append((time.thread_time() - begin) * 1e3)
    share = full_bytes / len(encoded)
    return Result(
        f"the report after it, {CHANGED:.0%} of the connections changed: found and encoded",
        f"{spread(took, 1)} ms, {len(encoded):,} bytes, {share:.1f} times smaller than a full one",
        "< 12 ms, >= 5 times smaller",
        statistics.median(took) < 12 and share >= 5,
    )


def _look(time_ns: int) -> Look:
    return Look(
        host_id="4f1c2a7e9d3b4c5f8a6e1d2c3b4a5f6e",
        host_name="web-1",
        boot_id="6a1f0c1e-7f3d-4d0a-9a43-0d7c1c5b9e21",
        session_ns=LOOK_NS // 2,
        time_ns=time_ns,
        wall_minus_boottime_ns=1_760_000_000 * 10**9,
        interval_ns=3 * 10**9,
        tier=1,
    )


def _json(rows: Rows) -> bytes:
    return gzip.compress(json_lines(rows, 0).encode(), 6)


def _pyarrow(rows: Rows) -> bytes:
    """Addresses and names as dictionaries, numbers as they are, buffers in zstd."""
    columns = {name: _column(rows, name) for name in ROW.names or ()}
    batch = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
    memory = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(memory, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    encoded: bytes = memory.getvalue().to_pybytes()
    return encoded


def _column(rows: Rows, name: str) -> Any:
    values = rows[name].copy()
    if values.dtype.kind == "u" and values.ndim == 1:
        return pa.array(values)
    size = ROW[name].itemsize
    cells = pa.Array.from_buffers(
        pa.binary(size), len(rows), [None, pa.py_buffer(values.tobytes())]
    )
    return cells.dictionary_encode()


def _milliseconds(work: Callable[[], object]) -> float:
    """Of our CPU: what others do on the machine meanwhile is not counted."""
    begin = time.thread_time()
    work()
    return (time.thread_time() - begin) * 1e3
