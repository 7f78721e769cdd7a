"""Rows as JSON: one flat object a line, column by column, joined once a batch.

Keys are the columns' names; addresses are text, times RFC 3339, enums words, 64-bit ids strings.
What is not known has no key.
"""

from __future__ import annotations

import errno
import json
from functools import lru_cache

import numpy as np

from connscope.row.address import address_column
from connscope.row.cast import cast_texts, is_cast
from connscope.row.columns import COLUMNS_OF, NO_UID, Rows
from connscope.row.listeners import has_queue_limit, is_listener
from connscope.row.number_texts import NumberTexts
from connscope.row.outside_text import printable
from connscope.row.row_keys import FEW, key_dtype, neighbours, row_keys
from connscope.row.text_rows import Mask, TextRows, is_constant, looked_up_column
from connscope.row.wall_time import rfc3339_columns, rfc3339_text
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

__all__ = ("json_lines",)

OWNER = (
    neighbours("process_start_ns", "cgroup_id"),
    neighbours("comm", "comm"),
    neighbours("netns", "uid"),
)
"""A process makes many rows: these too are looked up together."""
FEW_COLUMNS, OWNER_COLUMNS = key_dtype(FEW), key_dtype(*OWNER)
NUMBERS = (
    *("connection_id", "socket_id", "socket_inode", "subflow_of", "lost"),
    *("local_port", "peer_port"),
    *COLUMNS_OF[Group.TRAFFIC],
    *("rtt_us", "rtt_var_us", "min_rtt_us", "connect_us"),
    *("isn_local", "isn_peer"),
    *("queue_length", "queue_limit"),
)
SOME = 2048
"""How many rows are made to text at once: few calls, and what the processor's cache can hold."""


def json_lines(rows: Rows, wall_minus_boottime_ns: int) -> str:
    """The rows as lines of JSON, each with its newline; empty text for no rows."""
    return "".join(
        _some_lines(rows[start : start + SOME], wall_minus_boottime_ns)
        for start in range(0, len(rows), SOME)
    )


def _some_lines(rows: Rows, wall_minus_boottime_ns: int) -> str:
    lines, numbers = TextRows(len(rows)), NumberTexts(rows, NUMBERS)
    lines.add(looked_up_column(row_keys(rows, FEW), _few_fragment))
    _add_times(lines, rows, wall_minus_boottime_ns)
    _add_identity(lines, numbers)
    _add_ends(lines, rows, numbers)
    _add_owner(lines, rows, wall_minus_boottime_ns)
    _add_traffic(lines, rows, numbers)
    _add_quality(lines, rows, numbers)
    lines.add("}\n")
    return lines.text()


@lru_cache(16384)
def _few_fragment(key: bytes) -> str:
    """The start of the object: kind, tier, enums, error and what is exact."""
    row = np.frombuffer(key, FEW_COLUMNS)[0]
    known = Group(int(row["known"]))
    found: dict[str, object] = {"kind": word(Kind(row["kind"])), "tier": word(Tier(row["tier"]))}
    if Group.ENDS in known:
        found["protocol"] = word(Protocol(row["protocol"]))
        found["family"] = f"ipv{row['family']}"
        found["state"] = word(State(row["state"]))
    for name, words in (
        ("role", Role),
        ("owner_evidence", OwnerEvidence),
        ("failure", Failure),
        ("closed_by", ClosedBy),
    ):
        if row[name]:
            found[name] = word(words(row[name]))
    if row["error"]:
        found["error"] = errno.errorcode.get(int(row["error"]), str(row["error"]))
    if known:
        exact = Group(int(row["exact"]))
        found["exact"] = [word(group) for group in Group if group in exact]
    return json.dumps(found, separators=(",", ":"))[:-1]


@lru_cache(16384)
def _owner_fragment(key: bytes, wall_minus_boottime_ns: int) -> str:
    """Namespace, process, user and cgroup; each with a comma in front."""
    row = np.frombuffer(key, OWNER_COLUMNS)[0]
    found: dict[str, object] = {}
    if row["netns"]:
        found["netns"] = int(row["netns"])
    if row["pid"]:
        found["pid"] = int(row["pid"])
        if row["process_start_ns"]:
            found["process_started_at"] = rfc3339_text(
                int(row["process_start_ns"]), wall_minus_boottime_ns
            )
        found["comm"] = printable(row["comm"].tobytes())
    if row["uid"] != NO_UID:
        found["uid"] = int(row["uid"])
    if row["cgroup_id"]:
        found["cgroup_id"] = str(row["cgroup_id"])
    text = json.dumps(found, separators=(",", ":"), ensure_ascii=False)[1:-1]
    return text and f",{text}"


def _add_times(lines: TextRows, rows: Rows, wall_minus_boottime_ns: int) -> None:
    for key, name in (("time", "time_ns"), ("opened_at", "opened_ns"), ("closed_at", "closed_ns")):
        times = rows[name]
        known = _on_all(times > 0)
        if known is not False:
            texts = rfc3339_columns(times, wall_minus_boottime_ns)
            lines.add(f',"{key}":"', *texts, '"', where=known)


def _add_identity(lines: TextRows, numbers: NumberTexts) -> None:
    _add_text_number(lines, numbers, "connection_id")
    _add_text_number(lines, numbers, "socket_id")
    _add_number(lines, numbers, "socket_inode")
    _add_text_number(lines, numbers, "subflow_of")
    _add_number(lines, numbers, "lost")


def _add_ends(lines: TextRows, rows: Rows, numbers: NumberTexts) -> None:
    lines.add(
        ',"local_address":"', address_column(rows["local_address"]), '"',
        ',"local_port":', numbers.text("local_port"),
        ',"peer_address":"', address_column(rows["peer_address"]), '"',
        ',"peer_port":', numbers.text("peer_port"),
        where=_knows(rows, Group.ENDS),
    )  # fmt: skip
    if (cast := _on_all(is_cast(rows))) is not False:
        lines.add(',"cast":"', cast_texts(rows), '"', where=cast)


def _add_owner(lines: TextRows, rows: Rows, wall_minus_boottime_ns: int) -> None:
    keys = row_keys(rows, *OWNER)
    lines.add(looked_up_column(keys, lambda key: _owner_fragment(key, wall_minus_boottime_ns)))


def _add_traffic(lines: TextRows, rows: Rows, numbers: NumberTexts) -> None:
    known = _knows(rows, Group.TRAFFIC)
    for name in COLUMNS_OF[Group.TRAFFIC]:
        lines.add(f',"{name}":', numbers.text(name), where=known)


def _add_quality(lines: TextRows, rows: Rows, numbers: NumberTexts) -> None:
    lines.add(
        ',"rtt_us":', numbers.text("rtt_us"),
        ',"rtt_var_us":', numbers.text("rtt_var_us"),
        where=numbers.above_zero("rtt_us"),
    )  # fmt: skip
    _add_number(lines, numbers, "min_rtt_us")
    _add_number(lines, numbers, "connect_us")
    lines.add(
        ',"isn_local":', numbers.text("isn_local"),
        ',"isn_peer":', numbers.text("isn_peer"),
        where=_knows(rows, Group.JOIN),
    )  # fmt: skip
    for name, where in (("queue_length", is_listener), ("queue_limit", has_queue_limit)):
        lines.add(f',"{name}":', numbers.text(name), where=_on_all(where(rows)))


def _add_number(lines: TextRows, numbers: NumberTexts, name: str) -> None:
    """A number that is unknown if it is 0."""
    lines.add(f',"{name}":', numbers.text(name), where=numbers.above_zero(name))


def _add_text_number(lines: TextRows, numbers: NumberTexts, name: str) -> None:
    """The same as text: JavaScript has no integers of 64 bits."""
    lines.add(f',"{name}":"', numbers.text(name), '"', where=numbers.above_zero(name))


def _knows(rows: Rows, group: Group) -> bool | Mask:
    return _on_all(rows["known"] & group.value != 0)


def _on_all(mask: Mask) -> bool | Mask:
    """The mask, or what it says if it says the same of all lines."""
    return bool(mask[0]) if is_constant(mask) else mask
