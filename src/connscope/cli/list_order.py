"""The order of the rows of a list."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.errors import UsageError
from connscope.row.columns import ROW, Rows
from connscope.row.words import State

__all__ = ("Order", "parse_order")

TITLES = {
    "tx": "bytes_sent",
    "rx": "bytes_received",
    "rtt": "rtt_us",
    "rtt_ms": "rtt_us",
    "retrans": "retransmits",
    "user": "uid",
    "local": "local_address",
    "peer": "peer_address",
    "queue": "queue_length",
    "limit": "queue_limit",
    "unread": "unread_bytes",
    "unacked": "unacked_bytes",
    "inode": "socket_inode",
    "id": "connection_id",
    "time": "time_ns",
    "dir": "role",
}
"""The titles of tables that are no names of columns."""
AGE = "age"
BIG = np.dtype(">u8")


@dataclass(frozen=True, slots=True)
class Order:
    """By which column, and in which direction.

    Attributes:
        column: of the row, or ``age``; empty for the usual order: listeners first, then by state,
            process and ends.
    """

    column: str = ""
    descending: bool = False

    def apply(self, rows: Rows) -> Rows:
        """The rows in order; those with the same value stay as they were."""
        keys = _column_keys(rows, self.column) if self.column else _usual_keys(rows)
        places = np.lexsort(keys[::-1])
        if self.descending:
            places = len(rows) - 1 - np.lexsort([key[::-1] for key in keys[::-1]])[::-1]
        ordered: Rows = rows[places]
        return ordered


def parse_order(text: str | None, *, reverse: bool) -> Order:
    """The order that ``--sort`` and ``--reverse`` ask for.

    Raises:
        UsageError: there is no such column; the message has names that are near.
    """
    if text is None:
        return Order("", reverse)
    name = text.removeprefix("-").lower()
    column = TITLES.get(name, name)
    names = [each for each in ROW.names or () if each != "left_state"]
    if column not in (*names, AGE):
        near = difflib.get_close_matches(name, (*names, *TITLES, AGE))
        hint = f"did you mean {' or '.join(near)}?" if near else "see docs/row.md for their names"
        raise UsageError(f"--sort: there is no column {name!r}: {hint}")
    return Order(column, reverse != text.startswith("-"))


def _usual_keys(rows: Rows) -> list[npt.NDArray[Any]]:
    return [
        rows["state"] != State.LISTEN,
        rows["state"],
        *_column_keys(rows, "comm"),
        rows["pid"],
        rows["netns"],
        *_column_keys(rows, "local_address"),
        rows["local_port"],
        *_column_keys(rows, "peer_address"),
        rows["peer_port"],
    ]


def _column_keys(rows: Rows, column: str) -> list[npt.NDArray[Any]]:
    """The values of a column, most significant first; 16 bytes as two big numbers."""
    if column == AGE:
        ages = np.where(rows["opened_ns"] > 0, rows["time_ns"] - rows["opened_ns"], 0)
        return [ages]
    if rows[column].dtype.kind == "V" or rows[column].ndim > 1:
        halves = np.ascontiguousarray(rows[column]).view(np.uint8).reshape(-1, 16).view(BIG)
        port = column.replace("_address", "_port")
        return [halves[:, 0], halves[:, 1], *([rows[port]] if port != column else [])]
    return [rows[column]]
