"""Rows as JSON: one flat object a line, column by column, joined once a batch.

Keys are the columns' names; addresses are text, times RFC 3339, enums words, 64-bit ids strings. What
is not known has no key.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from connscope.row.address import address_text
from connscope.row.columns import COLUMNS_OF, NO_UID, ROW, Rows
from connscope.row.outside_text import printable
from connscope.row.wall_time import rfc3339_texts
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


def json_lines(rows: Rows, wall_minus_boottime_ns: int) -> str:
    """The rows as lines of JSON, each with its newline; empty text for no rows."""
    fragments = (
        _few_valued(rows),
        _times(rows, wall_minus_boottime_ns),
        _identity(rows),
        _ends(rows),
        _owner(rows, wall_minus_boottime_ns),
        _traffic(rows),
        _quality(rows),
    )
    return "".join(map("".join, zip(*fragments, strict=True)))


def _few_valued(rows: Rows) -> list[str]:
    few = np.ascontiguousarray(rows).view(np.uint8).reshape(-1, ROW.itemsize)[:, FEW_OFFSET:]
    return [_few_fragment(key) for key in few.copy().view(f"V{FEW_BYTES}")[:, 0].tolist()]


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


def _times(rows: Rows, wall_minus_boottime_ns: int) -> list[str]:
    times, opened, closed = (
        rfc3339_texts(rows[name], wall_minus_boottime_ns)
        for name in ("time_ns", "opened_ns", "closed_ns")
    )
    return [
        f',"time":"{at}"'
        + (f',"opened_at":"{opened_at}"' if opened_at else "")
        + (f',"closed_at":"{closed_at}"' if closed_at else "")
        for at, opened_at, closed_at in zip(times, opened, closed, strict=True)
    ]


def _identity(rows: Rows) -> list[str]:
    columns = ("connection_id", "socket_id", "socket_inode", "subflow_of", "lost")
    return [
        (f',"connection_id":"{connection_id}"' if connection_id else "")
        + (f',"socket_id":"{socket_id}"' if socket_id else "")
        + (f',"socket_inode":{inode}' if inode else "")
        + (f',"subflow_of":"{subflow_of}"' if subflow_of else "")
        + (f',"lost":{lost}' if lost else "")
        for connection_id, socket_id, inode, subflow_of, lost in _zip(rows, columns)
    ]


def _ends(rows: Rows) -> list[str]:
    columns = ("known", "local_port", "peer_port", "netns")
    local, peer = (
        [address_text(packed) for packed in rows[name].copy().view("V16")[:, 0].tolist()]
        for name in ("local_address", "peer_address")
    )
    return [
        f',"local_address":"{local_address}","local_port":{local_port}'
        f',"peer_address":"{peer_address}","peer_port":{peer_port},"netns":{netns}'
        if known & Group.ENDS
        else ""
        for (known, local_port, peer_port, netns), local_address, peer_address in zip(
            _zip(rows, columns), local, peer, strict=True
        )
    ]


def _owner(rows: Rows, wall_minus_boottime_ns: int) -> list[str]:
    columns = ("pid", "process_start_ns", "uid", "cgroup_id", "comm")
    return [_owner_fragment(*owner, wall_minus_boottime_ns) for owner in _zip(rows, columns)]


@lru_cache(16384)
def _owner_fragment(
    pid: int, start_ns: int, uid: int, cgroup_id: int, comm: bytes, wall_minus_boottime_ns: int
) -> str:
    process = ""
    if pid:
        (started_at,) = rfc3339_texts(np.array([start_ns], np.uint64), wall_minus_boottime_ns)
        name = json.dumps(printable(comm), ensure_ascii=False)
        process = f',"pid":{pid},"process_started_at":"{started_at}","comm":{name}'
    return (
        process
        + (f',"uid":{uid}' if uid != NO_UID else "")
        + (f',"cgroup_id":"{cgroup_id}"' if cgroup_id else "")
    )


def _traffic(rows: Rows) -> list[str]:
    columns = ("known", *COLUMNS_OF[Group.TRAFFIC])
    return [
        f',"bytes_sent":{sent},"bytes_received":{received},"unread_bytes":{unread}'
        f',"unacked_bytes":{unacked},"segments_sent":{segments_sent}'
        f',"segments_received":{segments_received},"retransmits":{retransmits}'
        if known & Group.TRAFFIC
        else ""
        for known, sent, received, unread, unacked, segments_sent, segments_received, retransmits in (
            _zip(rows, columns)
        )
    ]


def _quality(rows: Rows) -> list[str]:
    columns = (
        "known", "state", "kind", "rtt_us", "rtt_var_us", "min_rtt_us", "connect_us",
        "isn_local", "isn_peer", "queue_length", "queue_limit",
    )  # fmt: skip
    return [
        (f',"rtt_us":{rtt},"rtt_var_us":{rtt_var}' if rtt else "")
        + (f',"min_rtt_us":{min_rtt}' if min_rtt else "")
        + (f',"connect_us":{connect}' if connect else "")
        + (f',"isn_local":{isn_local},"isn_peer":{isn_peer}' if known & Group.JOIN else "")
        + (f',"queue_length":{length},"queue_limit":{limit}' if _listens(state, kind) else "")
        + "}\n"
        for known, state, kind, rtt, rtt_var, min_rtt, connect, isn_local, isn_peer, length, limit in (
            _zip(rows, columns)
        )
    ]


def _listens(state: int, kind: int) -> bool:
    return state == State.LISTEN or kind == Kind.UNLISTENED


def _zip(rows: Rows, columns: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    return zip(*(rows[name].tolist() for name in columns), strict=True)
