"""What the audit counts, one row after the other, as docs/audit.md says it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from connscope.row.columns import Rows
from connscope.row.words import ClosedBy, Failure, Group, Kind, OwnerEvidence, Role
from connscope.tracker.audit_rows import Seen

EPIPE, ECONNRESET = 32, 104


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
        if role == Role.SERVER and not row["known"] & (Group.LIFE | Group.JOIN):
            seen[Seen.PASSIVE] += 1
        else:
            seen.update(_of_close(row))
    if kind == Kind.FAILED and row["error"] and row["exact"] & Group.QUALITY:
        seen[Seen.FAILS] += row["failure"] not in (Failure.NO_PORT, Failure.DENIED)
    began_ns = int(row["opened_ns"]) - int(row["connect_us"]) * 1000
    if began_ns >= start_ns:
        adds = kind == Kind.CLOSED or (kind == Kind.FAILED and role != Role.SERVER)
        takes = kind == Kind.OPENED and role == Role.SERVER
        seen[Seen.RETRANSMITS] += (int(adds) - int(takes)) * int(row["retransmits"])
    return seen


def _of_close(row: Any) -> list[Seen]:
    error = row["error"]
    if not error:
        return [Seen.RESETS] if row["closed_by"] == ClosedBy.LOCAL_RESET else []
    if error == EPIPE:
        return [Seen.RESETS]
    if error == ECONNRESET and not row["exact"] & Group.QUALITY:
        return []
    if row["owner_evidence"] == OwnerEvidence.CLOSE:
        return []
    if row["owner_evidence"] == OwnerEvidence.LISTENER and not row["subflow_of"]:
        return [Seen.RESETS]
    return [Seen.RESETS_POSSIBLE]
