"""Rows as lines of a table, with the columns that people know from tcptracer and tcplife."""

from __future__ import annotations

import errno
import pwd
import socket
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from connscope.row.address import address_text
from connscope.row.columns import NO_UID, Rows
from connscope.row.outside_text import printable
from connscope.row.wall_time import clock_texts
from connscope.row.words import ClosedBy, Failure, Group, Kind, OwnerEvidence, Role, word

__all__ = ("TraceLines",)


class _Column(NamedTuple):
    """A column: its title, its width (negative: to the left), and what makes its cells."""

    title: str
    width: int
    cells: Callable[[Rows], list[str]]


class TraceLines:
    """Makes table lines.

    Args:
        wide: with user, namespace, quality and identity.
        numeric: ports and users as numbers.
    """

    def __init__(self, *, wide: bool = False, numeric: bool = False) -> None:
        port = str if numeric else _service
        self._offset_ns = 0
        self._columns = [
            _Column("TIME", -12, lambda rows: clock_texts(rows["time_ns"], self._offset_ns)),
            _Column("EVENT", -10, lambda rows: _words(rows["kind"], Kind)),
            _Column("PID", 8, _pids),
            _Column("COMM", -15, lambda rows: [printable(comm) for comm in rows["comm"].tolist()]),
            _Column("IP", 2, lambda rows: _numbers(rows, "family")),
            _Column(
                "DIR", -3, lambda rows: [DIRECTIONS.get(role, "") for role in rows["role"].tolist()]
            ),
            _Column("LADDR", -15, lambda rows: _addresses(rows, "local_address")),
            _Column("LPORT", 5, lambda rows: _ports(rows, "local_port", str)),
            _Column("RADDR", -15, lambda rows: _addresses(rows, "peer_address")),
            _Column("RPORT", 5, lambda rows: _ports(rows, "peer_port", port)),
            _Column("TX", 10, lambda rows: _counts(rows, "bytes_sent")),
            _Column("RX", 10, lambda rows: _counts(rows, "bytes_received")),
            _Column("MS", 9, _durations),
        ]
        if wide:
            user = str if numeric else _user
            self._columns += [
                _Column("USER", -8, lambda rows: _users(rows, user)),
                _Column("NETNS", 10, lambda rows: _numbers(rows, "netns")),
                _Column("RTT_US", 7, lambda rows: _numbers(rows, "rtt_us")),
                _Column("CONNECT_US", 10, lambda rows: _numbers(rows, "connect_us")),
                _Column("RETRANS", 7, lambda rows: _numbers(rows, "retransmits")),
                _Column("ID", 20, lambda rows: _numbers(rows, "connection_id")),
            ]
        self._columns.append(_Column("HOW", -1, _how))

    def header(self) -> str:
        """The titles, as one line."""
        titles = (_pad(column.title, column.width) for column in self._columns)
        return " ".join(titles).rstrip() + "\n"

    def lines(self, rows: Rows, wall_minus_boottime_ns: int) -> str:
        """The rows as lines, each with its newline."""
        self._offset_ns = wall_minus_boottime_ns
        cells = [
            [_pad(cell, column.width) for cell in column.cells(rows)] for column in self._columns
        ]
        return "".join(f"{' '.join(line).rstrip()}\n" for line in zip(*cells, strict=True))


DIRECTIONS = {Role.UNKNOWN: "", Role.CLIENT: "out", Role.SERVER: "in"}
PROOF = (OwnerEvidence.CONNECT, OwnerEvidence.ACCEPT)


def _pad(text: str, width: int) -> str:
    return text.ljust(-width) if width < 0 else text.rjust(width)


def _words(column: Rows, words: type[Kind]) -> list[str]:
    return [word(words(value)) for value in column.tolist()]


def _numbers(rows: Rows, name: str) -> list[str]:
    return [str(value) if value else "" for value in rows[name].tolist()]


def _counts(rows: Rows, name: str) -> list[str]:
    """Bytes, where the row ends a connection: before that they say nothing yet."""
    final = (rows["kind"] == Kind.CLOSED) & (rows["known"] & Group.TRAFFIC != 0)
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


def _pids(rows: Rows) -> list[str]:
    """The pid; with ~ if it is an estimate."""
    return [
        (f"{pid}" if evidence in PROOF or kind in LISTENER_KINDS else f"~{pid}") if pid else ""
        for pid, evidence, kind in zip(
            *(rows[name].tolist() for name in ("pid", "owner_evidence", "kind")), strict=True
        )
    ]


LISTENER_KINDS = (Kind.LISTENING, Kind.UNLISTENED)


def _addresses(rows: Rows, name: str) -> list[str]:
    known = rows["known"] & Group.ENDS != 0
    packed = rows[name].copy().view("V16")[:, 0].tolist()
    return [
        address_text(address) if shown else ""
        for address, shown in zip(packed, known.tolist(), strict=True)
    ]


def _ports(rows: Rows, name: str, text: Callable[[int], str]) -> list[str]:
    return [text(port) if port else "" for port in rows[name].tolist()]


def _users(rows: Rows, text: Callable[[int], str]) -> list[str]:
    return [text(uid) if uid != NO_UID else "" for uid in rows["uid"].tolist()]


def _how(rows: Rows) -> list[str]:
    columns = ("kind", "failure", "closed_by", "error", "lost", "unread_bytes")
    values = zip(*(rows[name].tolist() for name in columns), strict=True)
    return [_one_how(*value) for value in values]


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


@lru_cache(65536)
def _service(port: int) -> str:
    """A service's name as in /etc/services; the number if the name is longer than a column."""
    try:
        name = socket.getservbyport(port, "tcp")
    except OSError:
        return str(port)
    return name if len(name) <= len("RPORT") else str(port)


@lru_cache(4096)
def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
