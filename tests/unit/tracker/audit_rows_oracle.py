"""What the audit counts, one row after the other, as docs/audit.md says it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from connscope.row.columns import Rows
from connscope.row.words import Failure, Group, Kind, Role, State
from connscope.tracker.audit_rows import Seen


def counted(rows: Rows, start_ns: int, earlier: set[int]) -> dict[int, Counter[Seen]]:
    """By namespace."""
    found: dict[int, Counter[Seen]] = {int(netns): Counter() for netns in rows["netns"]}
    for row in rows:
        found[int(row["netns"])].update(_of_one(row, start_ns, earlier))
    return found


def _of_one(row: Any, start_ns: int, earlier: set[int]) -> Counter[Seen]:
    kind, role, seen = row["kind"], row["role"], Counter[Seen]()
    if kind in (Kind.OPENED, Kind.FAILED) and int(row["socket_id"]) not in earlier:
        if role == Role.CLIENT and row["segments_sent"]:
            seen[Seen.ACTIVE] += 1
        if role == Role.SERVER:
            seen[Seen.PASSIVE] += 1
    if kind == Kind.CLOSED:
        seen[Seen.PASSIVE] += role == Role.SERVER and not row["known"] & (Group.LIFE | Group.JOIN)
        seen[Seen.RESETS] += row["left_state"] in (State.ESTABLISHED, State.CLOSE_WAIT)
    if kind == Kind.FAILED and row["error"] and row["exact"] & Group.QUALITY:
        seen[Seen.FAILS] += row["failure"] not in (Failure.NO_PORT, Failure.DENIED)
    began_ns = int(row["opened_ns"]) - int(row["connect_us"]) * 1000
    if began_ns >= start_ns:
        adds = kind == Kind.CLOSED or (kind == Kind.FAILED and role != Role.SERVER)
        takes = kind == Kind.OPENED and role == Role.SERVER
        seen[Seen.RETRANSMITS] += (int(adds) - int(takes)) * int(row["retransmits"])
    return seen
