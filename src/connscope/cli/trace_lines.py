"""Rows as lines of a table, with the columns that people know from tcptracer and tcplife."""

from __future__ import annotations

import errno
from functools import lru_cache

import numpy as np

from connscope.cli import cells
from connscope.cli.cells import TableColumn, aligned, padded
from connscope.row.columns import Rows
from connscope.row.outside_text import printable
from connscope.row.row_keys import FEW, key_dtype, neighbours, row_keys
from connscope.row.wall_time import clock_texts
from connscope.row.words import ClosedBy, Failure, Group, Kind, OwnerEvidence, Protocol, word

__all__ = ("TraceLines",)

WHO = (FEW, neighbours("comm", "comm"), neighbours("pid", "pid"))
HOW = (FEW, neighbours("lost", "lost"), neighbours("unread_bytes", "unread_bytes"))
WHO_COLUMNS, HOW_COLUMNS = key_dtype(*WHO), key_dtype(*HOW)
WHO_WIDTHS = {"EVENT": -10, "PID": 8, "COMM": -15, "IP": 2, "DIR": -3}
WHO_HEADER = " ".join(padded(title, width) for title, width in WHO_WIDTHS.items())
PROOF = (OwnerEvidence.CONNECT, OwnerEvidence.ACCEPT)


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
            TableColumn(WHO_HEADER, -len(WHO_HEADER), _who),
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


def _counts(rows: Rows, name: str) -> list[str]:
    """Bytes, where the row ends a connection: before that they say nothing yet."""
    kind = rows["kind"]
    final = (kind == Kind.CLOSED.value) | (kind == Kind.IDLE.value)
    final |= (kind == Kind.FAILED.value) & (rows["protocol"] == Protocol.UDP.value)
    final &= rows["known"] & Group.TRAFFIC.value != 0
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


def _who(rows: Rows) -> list[str]:
    """From EVENT to DIR: a process makes many rows, so they are looked up together."""
    return list(map(_one_who, row_keys(rows, *WHO).tolist()))


@lru_cache(16384)
def _one_who(key: bytes) -> str:
    row = np.frombuffer(key, WHO_COLUMNS)[0]
    owner = cells.pid(row["pid"], row["owner_evidence"], row["kind"], row["state"], PROOF)
    texts = (
        word(Kind(row["kind"])),
        owner,
        printable(row["comm"].tobytes()),
        str(row["family"] or ""),
        cells.DIRECTIONS.get(row["role"], ""),
    )
    return " ".join(map(padded, texts, WHO_WIDTHS.values()))


def _how(rows: Rows) -> list[str]:
    texts = list(map(_one_how, row_keys(rows, *HOW).tolist()))
    if not (rows["protocol"] == Protocol.UDP.value).any():
        return texts
    names = zip(cells.udp_words(rows), texts, strict=True)
    return [f"{name} {text}".strip() for name, text in names]


@lru_cache(16384)
def _one_how(key: bytes) -> str:
    row = np.frombuffer(key, HOW_COLUMNS)[0]
    parts = []
    if row["kind"] == Kind.LOST:
        parts.append(f"{row['lost']} events are missing here: the ring was full (ring_bytes)")
    if row["failure"]:
        parts.append(word(Failure(row["failure"])))
    if row["closed_by"]:
        parts.append(f"by {word(ClosedBy(row['closed_by'])).replace('_', ' ')}")
    if row["error"]:
        parts.append(errno.errorcode.get(int(row["error"]), str(row["error"])))
    if row["unread_bytes"] and row["kind"] == Kind.CLOSED:
        parts.append(f"{row['unread_bytes']} bytes unread")
    return " ".join(parts)
