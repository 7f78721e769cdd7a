"""Rows as JSON: one flat object a line, column by column, joined once a batch.

Keys are the columns' names; addresses are text, times RFC 3339, enums words, 64-bit ids strings.
What is not known has no key.
"""

from __future__ import annotations

import errno
import json
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.row.address import address_column
from connscope.row.columns import COLUMNS_OF, NO_UID, ROW, Rows
from connscope.row.outside_text import printable
from connscope.row.text_rows import TextRows, decimal_column, looked_up_column
from connscope.row.wall_time import rfc3339_column
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

FEW_OFFSET = int(ROW.fields["error"][1]) if ROW.fields else 0
"""From this column on a row takes few different values: one look-up answers for all of them."""
FEW_BYTES = ROW.itemsize - FEW_OFFSET
FEW = np.dtype([(name, ROW[name]) for name in list(ROW.names or ())[-13:]])
SOME = 2048
"""How many rows are made to text at once: few calls, and what the processor's cache can hold."""


def json_lines(rows: Rows, wall_minus_boottime_ns: int) -> str:
    """The rows as lines of JSON, each with its newline; empty text for no rows."""
    return "".join(
        _some_lines(rows[start : start + SOME], wall_minus_boottime_ns)
        for start in range(0, len(rows), SOME)
    )


def _some_lines(rows: Rows, wall_minus_boottime_ns: int) -> str:
    lines = TextRows(len(rows))
    lines.add(looked_up_column(_few_valued(rows), _few_fragment))
    _add_times(lines, rows, wall_minus_boottime_ns)
    _add_identity(lines, rows)
    _add_ends(lines, rows)
    _add_owner(lines, rows, wall_minus_boottime_ns)
    _add_traffic(lines, rows)
    _add_quality(lines, rows)
    lines.add("}\n")
    return lines.text()


def _few_valued(rows: Rows) -> npt.NDArray[Any]:
    few = np.ascontiguousarray(rows).view(np.uint8).reshape(-1, ROW.itemsize)[:, FEW_OFFSET:]
    return few.copy().view(f"V{FEW_BYTES}")[:, 0]


@lru_cache(16384)
def _few_fragment(key: bytes) -> str:
    """The start of the object: kind, tier, enums, error and what is exact."""
    row = np.frombuffer(key, FEW)[0]
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


def _add_times(lines: TextRows, rows: Rows, wall_minus_boottime_ns: int) -> None:
    for key, name in (("time", "time_ns"), ("opened_at", "opened_ns"), ("closed_at", "closed_ns")):
        times = rows[name]
        if times.any():
            texts = rfc3339_column(times, wall_minus_boottime_ns)
            lines.add(f',"{key}":"', texts, '"', where=times > 0)


def _add_identity(lines: TextRows, rows: Rows) -> None:
    _add_text_number(lines, rows, "connection_id")
    _add_text_number(lines, rows, "socket_id")
    _add_number(lines, rows, "socket_inode")
    _add_text_number(lines, rows, "subflow_of")
    _add_number(lines, rows, "lost")


def _add_ends(lines: TextRows, rows: Rows) -> None:
    lines.add(
        ',"local_address":"', address_column(rows["local_address"]), '"',
        ',"local_port":', decimal_column(rows["local_port"]),
        ',"peer_address":"', address_column(rows["peer_address"]), '"',
        ',"peer_port":', decimal_column(rows["peer_port"]),
        ',"netns":', decimal_column(rows["netns"]),
        where=_knows(rows, Group.ENDS),
    )  # fmt: skip


def _add_owner(lines: TextRows, rows: Rows, wall_minus_boottime_ns: int) -> None:
    has_pid, starts = rows["pid"] > 0, rows["process_start_ns"]
    _add_number(lines, rows, "pid")
    lines.add(
        ',"process_started_at":"', rfc3339_column(starts, wall_minus_boottime_ns), '"',
        where=has_pid & (starts > 0),
    )  # fmt: skip
    lines.add(',"comm":', looked_up_column(rows["comm"], _json_name), where=has_pid)
    lines.add(',"uid":', decimal_column(rows["uid"]), where=rows["uid"] != NO_UID)
    _add_text_number(lines, rows, "cgroup_id")


def _json_name(comm: bytes) -> str:
    return json.dumps(printable(comm), ensure_ascii=False)


def _add_traffic(lines: TextRows, rows: Rows) -> None:
    known = _knows(rows, Group.TRAFFIC)
    for name in COLUMNS_OF[Group.TRAFFIC]:
        lines.add(f',"{name}":', decimal_column(rows[name]), where=known)


def _add_quality(lines: TextRows, rows: Rows) -> None:
    has_rtt = rows["rtt_us"] > 0
    lines.add(
        ',"rtt_us":', decimal_column(rows["rtt_us"]),
        ',"rtt_var_us":', decimal_column(rows["rtt_var_us"]),
        where=has_rtt,
    )  # fmt: skip
    _add_number(lines, rows, "min_rtt_us")
    _add_number(lines, rows, "connect_us")
    lines.add(
        ',"isn_local":', decimal_column(rows["isn_local"]),
        ',"isn_peer":', decimal_column(rows["isn_peer"]),
        where=_knows(rows, Group.JOIN),
    )  # fmt: skip
    lines.add(
        ',"queue_length":', decimal_column(rows["queue_length"]),
        ',"queue_limit":', decimal_column(rows["queue_limit"]),
        where=(rows["state"] == State.LISTEN) | (rows["kind"] == Kind.UNLISTENED),
    )  # fmt: skip


def _add_number(lines: TextRows, rows: Rows, name: str) -> None:
    """A number that is unknown if it is 0."""
    numbers = rows[name]
    lines.add(f',"{name}":', decimal_column(numbers), where=numbers > 0)


def _add_text_number(lines: TextRows, rows: Rows, name: str) -> None:
    """The same as text: JavaScript has no integers of 64 bits."""
    numbers = rows[name]
    lines.add(f',"{name}":"', decimal_column(numbers), '"', where=numbers > 0)


def _knows(rows: Rows, group: Group) -> npt.NDArray[np.bool_]:
    known: npt.NDArray[np.bool_] = rows["known"] & group.value != 0
    return known
