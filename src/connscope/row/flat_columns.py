"""The columns of formats that have all columns on every line: csv and arrow.

Names, words and times are those of JSON, and what JSON has no key for is null here.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from connscope.row.address import address_column
from connscope.row.cast import cast_texts, is_cast
from connscope.row.columns import COLUMNS_OF, NO_UID, Rows
from connscope.row.listeners import has_queue_limit, is_listener
from connscope.row.text_rows import Mask, TextColumn
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

__all__ = ("FLAT_COLUMNS", "FlatColumn", "Form")


class Form(Enum):
    """How the values of a column are written."""

    NUMBER = "unsigned number"
    TIME = "nanoseconds of CLOCK_BOOTTIME"
    TEXT = "text of our own"
    OUTSIDE = "16 bytes from outside"


class FlatColumn(NamedTuple):
    """One column.

    Attributes:
        name: as in JSON.
        column: of the row; empty if the text is made of several.
        known: on which rows there is a value.
        texts: the text of each value of a `Form.TEXT`, or of each row if there is no one column; it
            is asked for one row at least.
    """

    name: str
    column: str
    form: Form
    known: Callable[[Rows], Mask]
    texts: Callable[[npt.NDArray[Any]], TextColumn] | None = None

    def values(self, rows: Rows) -> npt.NDArray[Any]:
        """What `texts` is asked about."""
        return rows[self.column] if self.column else rows


def _always(rows: Rows) -> Mask:
    return np.ones(len(rows), np.bool_)


def _above_zero(rows: Rows, column: str) -> Mask:
    above: Mask = rows[column] > 0
    return above


def _in_group(rows: Rows, group: Group) -> Mask:
    known: Mask = rows["known"] & group.value != 0
    return known


def _has_process(rows: Rows, column: str) -> Mask:
    return _above_zero(rows, "pid") & _above_zero(rows, column)


def _has_user(rows: Rows) -> Mask:
    known: Mask = rows["uid"] != NO_UID
    return known


def _text_column(values: npt.NDArray[Any], text: Callable[[int], str]) -> TextColumn:
    """The text of each number, made once for each that differs."""
    distinct, places = np.unique(values, return_inverse=True)
    texts = np.array([text(value).encode() for value in distinct.tolist()])
    return texts[places].view(np.uint8).reshape(len(values), -1)


WORDS = {
    "kind": Kind,
    "tier": Tier,
    "protocol": Protocol,
    "state": State,
    "role": Role,
    "owner_evidence": OwnerEvidence,
    "failure": Failure,
    "closed_by": ClosedBy,
}


def _group_words(bits: int) -> str:
    found = Group(bits)
    return " ".join(word(group) for group in Group if group in found)


def _number_text(column: str, value: int) -> str:
    if column == "family":
        return f"ipv{value}"
    if column == "error":
        return errno.errorcode.get(value, str(value))
    return _group_words(value) if column == "exact" else word(WORDS[column](value))


def _words(column: str, known: Callable[[Rows], Mask] | None = None) -> FlatColumn:
    texts = partial(_text_column, text=partial(_number_text, column))
    return FlatColumn(
        column, column, Form.TEXT, known or partial(_above_zero, column=column), texts
    )


def _number(column: str, known: Callable[[Rows], Mask] | None = None) -> FlatColumn:
    return FlatColumn(column, column, Form.NUMBER, known or partial(_above_zero, column=column))


def _time(name: str, column: str) -> FlatColumn:
    return FlatColumn(name, column, Form.TIME, partial(_above_zero, column=column))


ENDS = partial(_in_group, group=Group.ENDS)
JOIN = partial(_in_group, group=Group.JOIN)

FLAT_COLUMNS = (
    _words("kind", _always),
    _words("tier", _always),
    *(_words(name, ENDS) for name in ("protocol", "family", "state")),
    *(_words(name) for name in ("role", "owner_evidence", "failure", "closed_by", "error")),
    _words("exact", partial(_above_zero, column="known")),
    _time("time", "time_ns"),
    _time("opened_at", "opened_ns"),
    _time("closed_at", "closed_ns"),
    *(_number(name) for name in ("connection_id", "socket_id", "socket_inode", "subflow_of")),
    _number("lost"),
    FlatColumn("local_address", "local_address", Form.TEXT, ENDS, address_column),
    _number("local_port", ENDS),
    FlatColumn("peer_address", "peer_address", Form.TEXT, ENDS, address_column),
    _number("peer_port", ENDS),
    FlatColumn("cast", "", Form.TEXT, is_cast, cast_texts),
    _number("netns"),
    _number("pid"),
    FlatColumn(
        "process_started_at",
        "process_start_ns",
        Form.TIME,
        partial(_has_process, column="process_start_ns"),
    ),
    FlatColumn("comm", "comm", Form.OUTSIDE, partial(_above_zero, column="pid")),
    _number("uid", _has_user),
    _number("cgroup_id"),
    *(_number(name, partial(_in_group, group=Group.TRAFFIC)) for name in COLUMNS_OF[Group.TRAFFIC]),
    _number("rtt_us"),
    _number("rtt_var_us", partial(_above_zero, column="rtt_us")),
    _number("min_rtt_us"),
    _number("connect_us"),
    _number("isn_local", JOIN),
    _number("isn_peer", JOIN),
    _number("queue_length", is_listener),
    _number("queue_limit", has_queue_limit),
)
"""All columns, in the order of JSON's keys."""
