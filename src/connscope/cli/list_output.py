"""Standard output of ``connscope list``, in one of the formats."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import Protocol

from connscope.capture.tier import BATCH_ROWS
from connscope.cli.list_table import ListTable, line_width
from connscope.errors import UsageError
from connscope.kernel.host.clock import wall_minus_boottime_ns
from connscope.row.columns import Rows
from connscope.row.csv_lines import csv_header, csv_lines
from connscope.row.json_lines import json_lines

__all__ = ("FORMATS", "Output", "open_output")

FORMATS = ("table", "wide", "json", "csv", "arrow")


class Output(Protocol):
    """Writes rows, one look after the other."""

    def write(self, rows: Rows) -> None:
        """Writes the rows of one look."""

    def close(self) -> None:
        """Writes what stands at the end."""


def open_output(form: str, table: ListTable) -> Output:
    """The output of a format.

    Raises:
        UsageError: the format is not for terminals, and this is one.
    """
    if form == "arrow":
        if sys.stdout.isatty():
            raise UsageError("-o arrow is not for terminals: send it to a file or a pipe")
        return _ArrowOutput()
    if form == "json":
        return _TextOutput(json_lines)
    return _TextOutput(csv_lines, csv_header()) if form == "csv" else _TableOutput(table)


class _TextOutput:
    """Lines that a function makes of rows."""

    def __init__(self, make: Callable[[Rows, int], str], header: str = "") -> None:
        self._make = make
        self._header = header

    def write(self, rows: Rows) -> None:
        offset_ns = wall_minus_boottime_ns()
        sys.stdout.write(self._header)
        for start in range(0, len(rows), BATCH_ROWS):
            sys.stdout.write(self._make(rows[start : start + BATCH_ROWS], offset_ns))
        sys.stdout.flush()
        self._header = ""

    def close(self) -> None:
        pass


class _ArrowOutput:
    """One stream, a batch for each look."""

    def __init__(self) -> None:
        # Its library takes as long to import as a thousand sockets to list.
        arrow = importlib.import_module("connscope.row.arrow_stream")
        self._stream = arrow.ArrowStream(sys.stdout.buffer)

    def write(self, rows: Rows) -> None:
        self._stream.write(rows, wall_minus_boottime_ns())
        sys.stdout.buffer.flush()

    def close(self) -> None:
        self._stream.close()


class _TableOutput:
    """A block for each look, with an empty line between two."""

    def __init__(self, table: ListTable) -> None:
        self._table = table
        self._between = ""

    def write(self, rows: Rows) -> None:
        sys.stdout.write(self._between + self._table.make(rows, line_width()).text())
        sys.stdout.flush()
        self._between = "\n"

    def close(self) -> None:
        pass
