"""The fields of the language: what each is called, what it takes, and where a row has it.

Only what a row answers by itself is here. What needs more than one row, or names that a row has
not, is no field, and using one is an error.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum

from connscope.filter.condition import (
    EVERYTHING,
    Among,
    Condition,
    Knows,
    column_limit,
    some,
)
from connscope.filter.text_condition import ADDRESS_COLUMNS, TEXT_COLUMN
from connscope.row.columns import NO_UID
from connscope.row.words import (
    ClosedBy,
    Failure,
    Group,
    Kind,
    OwnerEvidence,
    Protocol,
    Role,
    State,
    Tier,
    word,
)

__all__ = ("END_PREFIXES", "FIELDS", "Field", "Takes", "find_field")


class Takes(Enum):
    """What stands after the operator."""

    NUMBER = "a number"
    BYTES = "a count of bytes, such as 10MB or 64KiB"
    TIME = "a time with its unit, such as 200ms or 2h"
    AGE = "a time with its unit, such as 30s or 2h"
    COUNT_OR_SHARE = "a count, or a share such as 5%"
    WORD = "a word"
    TEXT = "a text"
    ADDRESS = "an address, a network such as 10.0.0.0/8, or 10.0.*"


END_PREFIXES = ("client", "server", "local", "remote", "peer")
"""What may stand before a field that an end of a connection has; the row's word for remote is
peer."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field.

    Attributes:
        name: as people write it.
        aliases: the names of the row's columns.
        takes: what its values are.
        column: of the row; of a field that both ends have: that of the local end.
        known: when the column holds something.
        words: the numbers of the words, if it takes words.
        of_an_end: if END_PREFIXES may stand before it.
        peer_column: the column of the other end, if there is one.
    """

    name: str
    aliases: tuple[str, ...]
    takes: Takes
    column: str
    known: Condition
    words: Mapping[str, int] = field(default_factory=dict)
    of_an_end: bool = False
    peer_column: str = ""


def _words(words: Iterable[IntEnum]) -> dict[str, int]:
    """Of each word its number; what means unknown is no value."""
    return {word(each): each.value for each in words if each.value}


def _above_zero(column: str) -> Condition:
    return Among(column, ((1, column_limit(column)),))


ENDS, TRAFFIC = Knows(Group.ENDS), Knows(Group.TRAFFIC)
ROLE = _above_zero("role")
OWNED = _above_zero("pid")
RTT = _above_zero("rtt_us")
QUEUED = some(
    Among("state", ((State.LISTEN.value,) * 2,)), Among("kind", ((Kind.UNLISTENED.value,) * 2,))
)
ERRORS = {name: number for number, name in errno.errorcode.items()}


def _count(name: str, column: str = "") -> Field:
    """A number of which 0 means unknown."""
    column = column or name
    return Field(name, (column,), Takes.NUMBER, column, _above_zero(column))


def _traffic(name: str, column: str, takes: Takes) -> Field:
    return Field(name, (column,), takes, column, TRAFFIC)


def _time(name: str, column: str, known: Condition | None = None) -> Field:
    return Field(name, (column,), Takes.TIME, column, known or _above_zero(column))


def _worded(name: str, column: str, words: Mapping[str, int], known: Condition) -> Field:
    return Field(name, (column,), Takes.WORD, column, known, words)


FIELDS = (
    Field("proc", ("comm",), Takes.TEXT, TEXT_COLUMN, OWNED, of_an_end=True),
    Field("pid", (), Takes.NUMBER, "pid", OWNED, of_an_end=True),
    Field(
        "user", ("uid",), Takes.NUMBER, "uid", Among("uid", ((0, NO_UID - 1),)), of_an_end=True
    ),
    Field(
        "ip", (), Takes.ADDRESS, ADDRESS_COLUMNS[0], ENDS,
        of_an_end=True, peer_column=ADDRESS_COLUMNS[1],
    ),
    Field(
        "port", (), Takes.NUMBER, "local_port", ENDS, of_an_end=True, peer_column="peer_port"
    ),
    _worded("proto", "protocol", _words(Protocol), ENDS),
    _worded("family", "family", {"ipv4": 4, "ipv6": 6}, ENDS),
    Field("dir", (), Takes.WORD, "role", ROLE, {"in": Role.SERVER.value, "out": Role.CLIENT.value}),
    _worded("role", "role", _words(Role), ROLE),
    _worded("state", "state", _words(State), ENDS),
    _worded("kind", "kind", _words(Kind), EVERYTHING),
    _worded("failed", "failure", _words(Failure), _above_zero("failure")),
    _worded("error", "error", ERRORS, _above_zero("error")),
    _worded("closed_by", "closed_by", _words(ClosedBy), _above_zero("closed_by")),
    Field("age", (), Takes.AGE, "opened_ns", _above_zero("opened_ns")),
    _traffic("tx", "bytes_sent", Takes.BYTES),
    _traffic("rx", "bytes_received", Takes.BYTES),
    _traffic("unread", "unread_bytes", Takes.BYTES),
    _traffic("unacked", "unacked_bytes", Takes.BYTES),
    _traffic("segments_sent", "segments_sent", Takes.NUMBER),
    _traffic("segments_received", "segments_received", Takes.NUMBER),
    _traffic("retrans", "retransmits", Takes.COUNT_OR_SHARE),
    _time("rtt", "rtt_us"),
    _time("rtt_var", "rtt_var_us", RTT),
    _time("min_rtt", "min_rtt_us"),
    _time("connect", "connect_us"),
    Field("queue", ("queue_length",), Takes.NUMBER, "queue_length", QUEUED),
    Field("queue_limit", (), Takes.NUMBER, "queue_limit", QUEUED),
    _count("netns"),
    _count("cgroup", "cgroup_id"),
    _count("inode", "socket_inode"),
    _count("id", "connection_id"),
    _count("socket", "socket_id"),
    _worded("evidence", "owner_evidence", _words(OwnerEvidence), _above_zero("owner_evidence")),
    _worded("tier", "tier", {word(tier): tier.value for tier in Tier}, EVERYTHING),
)  # fmt: skip
"""All fields, the most used first. ``is`` is not among them: it takes flags."""

BY_NAME = {name: each for each in FIELDS for name in (each.name, *each.aliases)}
COLUMNS_OF_ENDS = {
    f"{end}_{column}": (end, name)
    for end in ("local", "peer")
    for column, name in (("address", "ip"), ("port", "port"))
}


def find_field(name: str) -> tuple[str, Field | None]:
    """The field that a name means, also by the row's name of its column; None if there is none.

    Returns:
        The prefix, or empty text; the field.
    """
    small = name.lower()
    prefix, _, rest = small.partition(".") if "." in small else ("", "", small)
    prefix, rest = COLUMNS_OF_ENDS.get(small, (prefix, rest))
    return prefix, BY_NAME.get(rest) if prefix in ("", *END_PREFIXES) else None
