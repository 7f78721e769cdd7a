"""Rows as lines of a table, with the columns that people know from tcptracer and tcplife."""

from __future__ import annotations

import errno
from functools import lru_cache

import numpy as np

from connscope.cli import cells
from connscope.cli.cells import TableColumn, aligned, padded
from connscope.row.columns import Rows
from connscope.row.wall_time import clock_texts
from connscope.row.words import ClosedBy, Failure, Group, Kind, OwnerEvidence, Protocol, word

__all__ = ("TraceLines",)


class TraceLines:
    """Makes table lines.

    Args:
        wide: with user, namespace, quality and identity.
        numeric: ports and users as numbers.
    """

    def __init__(self, *, wide: bool = False, numeric: bool = False) -> None:
        port = str if numeric else cells.service
        self._offset_ns = 0
        self._columns = [
            TableColumn("TIME", -12, lambda rows: clock_texts(rows["time_ns"], self._offset_ns)),
            TableColumn("EVENT", -10, lambda rows: cells.words(rows, "kind", Kind)),
            TableColumn("PID", 8, lambda rows: cells.pids(rows, PROOF)),
            TableColumn("COMM", -15, cells.comms),
            TableColumn("IP", 2, lambda rows: cells.numbers(rows, "family")),
            TableColumn("DIR", -3, cells.directions),
            TableColumn("LADDR", -15, lambda rows: cells.addresses(rows, "local_address")),
            TableColumn("LPORT", 5, lambda rows: cells.ports(rows, "local", str)),
            TableColumn("RADDR", -15, lambda rows: cells.addresses(rows, "peer_address")),
            TableColumn("RPORT", 5, lambda rows: cells.ports(rows, "peer", port)),
            TableColumn("TX", 10, lambda rows: _counts(rows, "bytes_sent")),
            TableColumn("RX", 10, lambda rows: _counts(rows, "bytes_received")),
            TableColumn("MS", 9, _durations),
        ]
        if wide:
            user = str if numeric else cells.user
            self._columns += [
                TableColumn("USER", -8, lambda rows: cells.users(rows, user)),
                TableColumn("NETNS", 10, lambda rows: cells.numbers(rows, "netns")),
                TableColumn("RTT_US", 7, lambda rows: cells.numbers(rows, "rtt_us")),
                TableColumn("CONNECT_US", 10, lambda rows: cells.numbers(rows, "connect_us")),
                TableColumn("RETRANS", 7, lambda rows: cells.numbers(rows, "retransmits")),
                TableColumn("ID", 20, lambda rows: cells.numbers(rows, "connection_id")),
            ]
        self._columns.append(TableColumn("HOW", -1, _how))

    def header(self) -> str:
        """The titles, as one line."""
        titles = (padded(column.title, column.width) for column in self._columns)
        return " ".join(titles).rstrip() + "\n"

    def lines(self, rows: Rows, wall_minus_boottime_ns: int) -> str:
        """The rows as lines, each with its newline."""
        self._offset_ns = wall_minus_boottime_ns
        columns = (aligned(column.cells(rows), column.width) for column in self._columns)
        text = "\n".join(map(str.rstrip, map(" ".join, zip(*columns, strict=True))))
        return text and f"{text}\n"


PROOF = (OwnerEvidence.CONNECT, OwnerEvidence.ACCEPT)


def _counts(rows: Rows, name: str) -> list[str]:
    """Bytes, where the row ends a connection: before that they say nothing yet."""
    kind = rows["kind"]
    final = (kind == Kind.CLOSED) | (kind == Kind.IDLE)
    final |= (kind == Kind.FAILED) & (rows["protocol"] == Protocol.UDP)
    final &= rows["known"] & Group.TRAFFIC != 0
    return [
        str(value) if shown else ""
        for value, shown in zip(rows[name].tolist(), final.tolist(), strict=True)
    ]


def _durations(rows: Rows) -> list[str]:
    """Milliseconds: of the life of what closed, of the attempt that failed."""
    lived = (rows["closed_ns"] != 0) & (rows["opened_ns"] != 0)
    milliseconds = np.where(lived, rows["closed_ns"] - rows["opened_ns"], 0) / 1e6
    return [
        f"{value:.2f}" if shown else ""
        for value, shown in zip(milliseconds.tolist(), lived.tolist(), strict=True)
    ]


def _how(rows: Rows) -> list[str]:
    columns = ("kind", "failure", "closed_by", "error", "lost", "unread_bytes")
    texts = list(map(_one_how, *(rows[name].tolist() for name in columns)))
    if not (rows["protocol"] == Protocol.UDP).any():
        return texts
    names = zip(cells.udp_words(rows), texts, strict=True)
    return [f"{name} {text}".strip() for name, text in names]


@lru_cache(4096)
def _one_how(kind: int, failure: int, closed_by: int, error: int, lost: int, unread: int) -> str:
    parts = []
    if kind == Kind.LOST:
        parts.append(f"{lost} events are missing here: the ring was full (ring_bytes)")
    if failure:
        parts.append(word(Failure(failure)))
    if closed_by:
        parts.append(f"by {word(ClosedBy(closed_by)).replace('_', ' ')}")
    if error:
        parts.append(errno.errorcode.get(error, str(error)))
    if unread and kind == Kind.CLOSED:
        parts.append(f"{unread} bytes unread")
    return " ".join(parts)
