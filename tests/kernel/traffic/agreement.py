"""Compares the rows of a tier with what the applications counted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from connscope.row.address import address_text
from connscope.row.columns import Rows
from connscope.row.words import Group, Kind, Role
from tests.kernel.recorder import Recorder
from tests.traffic.report import End

ROLES = {"client": Role.CLIENT, "server": Role.SERVER}


def assert_bytes_agree(recorder: Recorder, ends: Iterable[End]) -> None:
    """Each TCP end has one row at its end, it says what the application counted, and says that this
    is exact."""
    for end in ends:
        row = last_row(recorder, end)
        assert seen(row) == expected(end), end
        assert Group.TRAFFIC in Group(int(row["known"])) & Group(int(row["exact"])), end


def last_row(recorder: Recorder, end: End) -> Any:
    """Waits for the row that ends the connection: closed, or failed if it never came to be."""
    kind = Kind.CLOSED if end.outcome == "closed" else Kind.FAILED
    rows = recorder.until(lambda rows: len(rows_of(rows, end, kind)))
    (row,) = rows_of(rows, end, kind)
    return row


def rows_of(rows: Rows, end: End, *kinds: Kind) -> Rows:
    """The rows of one of the kinds with both ports and the namespace of that end."""
    local_port, peer_port = (int(text.rpartition(":")[2]) for text in (end.local, end.peer))
    found: Rows = rows[
        np.isin(rows["kind"], [int(kind) for kind in kinds])
        & (rows["netns"] == end.netns)
        & (rows["local_port"] == local_port)
        & (rows["peer_port"] == peer_port)
    ]
    return found


def address_of(row: Any) -> str:
    """The local address of a row, as an `End` has it."""
    host = address_text(row["local_address"].tobytes())
    return f"[{host}]:{row['local_port']}" if ":" in host else f"{host}:{row['local_port']}"


def seen(row: Any) -> dict[str, Any]:
    """What a row says, in words that `expected` uses too."""
    return {
        "local": address_of(row),
        "sent": int(row["bytes_sent"]),
        "received": int(row["bytes_received"]),
        "unread": int(row["unread_bytes"]),
    }


def expected(end: End) -> dict[str, Any]:
    """What the row of an end has to say: TCP has received what was read and what is unread."""
    return {
        "local": end.local,
        "sent": end.sent,
        "received": end.received + end.unread,
        "unread": end.unread,
    }


def subflow_rows(recorder: Recorder, end: End) -> Rows:
    """Waits until all subflows of the only MPTCP connection of a namespace are closed; the closed
    rows of one side."""
    rows = recorder.until(lambda rows: are_closed(rows[rows["netns"] == end.netns]))
    found: Rows = rows[
        (rows["netns"] == end.netns)
        & (rows["kind"] == Kind.CLOSED)
        & (rows["role"] == ROLES[end.role])
    ]
    return found


def are_closed(rows: Rows) -> bool:
    """As many closed as opened, both sides."""
    opened, closed = (int((rows["kind"] == kind).sum()) for kind in (Kind.OPENED, Kind.CLOSED))
    return closed >= 2 and closed == opened
