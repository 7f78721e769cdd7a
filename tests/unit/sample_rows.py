"""Rows for tests: written out by hand, or drawn by hypothesis."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import numpy as np
from hypothesis import strategies as st

from connscope.row.columns import NO_UID, ROW, Rows
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
)

NAMES = tuple(ROW.names or ())
CHOICES: dict[str, tuple[int, ...]] = {
    "kind": tuple(Kind),
    "tier": tuple(Tier),
    "protocol": tuple(Protocol),
    "family": (4, 6),
    "role": tuple(Role),
    "state": tuple(State),
    "owner_evidence": tuple(OwnerEvidence),
    "failure": tuple(Failure),
    "closed_by": tuple(ClosedBy),
    "known": tuple(range(1 << len(Group))),
    "exact": tuple(range(1 << len(Group))),
}
TIMES = ("time_ns", "opened_ns", "closed_ns", "process_start_ns")
MOST_TIME_NS = 1 << 61
ROWS_AT_MOST = 6


def packed(text: str) -> bytes:
    """The 16 bytes that a row has for an address."""
    address = ip_address(text)
    return address.packed if address.version == 6 else bytes(10) + b"\xff\xff" + address.packed


def one_row(**columns: Any) -> Rows:
    """A batch of one row: zeros, no user, and the columns given; addresses as text."""
    rows = np.zeros(1, ROW)
    rows["uid"] = NO_UID
    for name, value in columns.items():
        if name.endswith("_address"):
            rows[name] = np.frombuffer(packed(value), np.uint8)
        elif name == "comm":
            rows[name] = np.void(value.ljust(16, b"\0"))
        else:
            rows[name] = value
    return rows


def any_rows() -> st.SearchStrategy[Rows]:
    """Batches of random bytes."""
    sizes = st.integers(0, ROWS_AT_MOST).map(lambda count: count * ROW.itemsize)
    contents = sizes.flatmap(lambda size: st.binary(min_size=size, max_size=size))
    return contents.map(lambda content: np.frombuffer(content, ROW).copy())


@st.composite
def sensible_rows(draw: st.DrawFn) -> Rows:
    """Batches with enumerated columns in range, some columns unknown, some addresses of IPv4."""
    rows = draw(any_rows())
    for name, choices in CHOICES.items():
        rows[name] = np.array(choices)[rows[name] % len(choices)]
    for name in TIMES:
        rows[name] %= MOST_TIME_NS
    for name in draw(st.sets(st.sampled_from(NAMES))) - CHOICES.keys():
        rows[name] = np.zeros(1, ROW)[name][0]
    for name in draw(st.sets(st.sampled_from(("local_address", "peer_address")))):
        rows[name][:, :12] = np.frombuffer(packed("0.0.0.0")[:12], np.uint8)
    if draw(st.booleans()):
        rows["uid"] = NO_UID
    return rows
