"""The cells of tables: what a column of rows says, a text for each row."""

from __future__ import annotations

import itertools
import pwd
import socket
import unicodedata
from collections.abc import Callable, Iterable
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from connscope.row.address import address_text
from connscope.row.cast import is_broadcast, is_multicast
from connscope.row.columns import NO_UID, Rows
from connscope.row.outside_text import printable
from connscope.row.words import Group, Kind, OwnerEvidence, Protocol, Role, State, word

__all__ = (
    "DIRECTIONS",
    "TableColumn",
    "addresses",
    "aligned",
    "comms",
    "directions",
    "numbers",
    "padded",
    "pid",
    "pids",
    "ports",
    "service",
    "text_width",
    "udp_words",
    "user",
    "users",
    "words",
)

PORT_WIDTH = 5
DIRECTIONS = {Role.UNKNOWN: "", Role.CLIENT: "out", Role.SERVER: "in"}
LISTENER_KINDS = (Kind.LISTENING, Kind.UNLISTENED)


class TableColumn(NamedTuple):
    """A column: its title, its width (negative: to the left), and what makes its cells."""

    title: str
    width: int
    cells: Callable[[Rows], list[str]]


def padded(text: str, width: int) -> str:
    """The text with spaces: behind it for a negative width, before it for any other."""
    if text.isascii():
        return text.ljust(-width) if width < 0 else text.rjust(width)
    spaces = " " * (abs(width) - text_width(text))
    return text + spaces if width < 0 else spaces + text


def aligned(texts: Iterable[str], width: int) -> list[str]:
    """Each text as `padded` has it."""
    cells = list(texts)
    if not "".join(cells).isascii():
        return [padded(cell, width) for cell in cells]
    justify = str.ljust if width < 0 else str.rjust
    return list(map(justify, cells, itertools.repeat(abs(width))))


@lru_cache(65536)
def text_width(text: str) -> int:
    """How many columns of a terminal the text takes: wide letters take two, accents none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF")
        for letter in text
    )


def words(rows: Rows, name: str, enumeration: type[IntEnum]) -> list[str]:
    """The words of an enumerated column."""
    texts = {value: word(enumeration(value)) for value in set(rows[name].tolist())}
    return [texts[value] for value in rows[name].tolist()]


def udp_words(rows: Rows) -> list[str]:
    """``udp``, ``udp multicast`` or ``udp broadcast``; of other protocols nothing."""
    names = np.where(rows["protocol"] == Protocol.UDP, "udp", "")
    names = np.where(is_multicast(rows), "udp multicast", names)
    found: list[str] = np.where(is_broadcast(rows), "udp broadcast", names).tolist()
    return found


def numbers(rows: Rows, name: str) -> list[str]:
    """A column of numbers that are unknown if they are 0."""
    return [str(value) if value else "" for value in rows[name].tolist()]


def pids(rows: Rows, proofs: tuple[OwnerEvidence, ...]) -> list[str]:
    """The pid; with ~ if the evidence is no proof. A listener's owner is the one that listens."""
    columns = (rows[name].tolist() for name in ("pid", "owner_evidence", "kind", "state"))
    return list(map(pid, *columns, itertools.repeat(proofs)))


@lru_cache(65536)
def pid(
    number: int, evidence: int, kind: int, state: int, proofs: tuple[OwnerEvidence, ...]
) -> str:
    """One of `pids`."""
    if not number:
        return ""
    listens = kind in LISTENER_KINDS or (kind == Kind.SNAPSHOT and state == State.LISTEN)
    return f"{number}" if listens or evidence in proofs else f"~{number}"


def comms(rows: Rows) -> list[str]:
    """The names of the processes."""
    return list(map(printable, rows["comm"].tolist()))


def directions(rows: Rows) -> list[str]:
    """Who connected: in, out, or nothing where nobody knows."""
    return [DIRECTIONS.get(role, "") for role in rows["role"].tolist()]


def addresses(rows: Rows, name: str) -> list[str]:
    """The addresses of one end, nothing where it is unknown."""
    known = rows["known"] & Group.ENDS.value != 0
    packed = rows[name].copy().view("V16")[:, 0].tolist()
    if known.all():
        return list(map(address_text, packed))
    return [
        address_text(address) if shown else ""
        for address, shown in zip(packed, known.tolist(), strict=True)
    ]


def ports(rows: Rows, end: str, text: Callable[[int], str]) -> list[str]:
    """The ports of the end, ``local`` or ``peer``; a client's is a number, whatever `text` says."""
    client = Role.CLIENT if end == "local" else Role.SERVER
    return [
        (str(port) if role == client else text(port)) if port else ""
        for port, role in zip(rows[f"{end}_port"].tolist(), rows["role"].tolist(), strict=True)
    ]


def users(rows: Rows, text: Callable[[int], str]) -> list[str]:
    """The users of the sockets."""
    return [text(uid) if uid != NO_UID else "" for uid in rows["uid"].tolist()]


@lru_cache(65536)
def service(port: int) -> str:
    """A service's name as in /etc/services; the number if the name is longer than a column."""
    try:
        name = socket.getservbyport(port, "tcp")
    except OSError:
        return str(port)
    return name if len(name) <= PORT_WIDTH else str(port)


@lru_cache(4096)
def user(uid: int) -> str:
    """The user's name; the number if there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
