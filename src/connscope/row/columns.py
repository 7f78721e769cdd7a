"""The row as a NumPy dtype; ``bpf/row.h`` declares the same record in C.

Times are CLOCK_BOOTTIME nanoseconds, ports are host order, addresses are 16 bytes as on the wire
with IPv4 as v4-mapped. Which columns hold something is told by `known`, which of those are the truth
by `exact`, both a bit for each group.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.row.words import Group, Kind

__all__ = ("COLUMNS_OF", "NO_UID", "ROW", "Rows", "lost_row")

ADDRESS = np.dtype((np.uint8, 16))

ROW = np.dtype(
    [
        ("connection_id", np.uint64),
        ("socket_id", np.uint64),
        ("subflow_of", np.uint64),
        ("time_ns", np.uint64),
        ("opened_ns", np.uint64),
        ("closed_ns", np.uint64),
        ("lost", np.uint64),
        ("process_start_ns", np.uint64),
        ("cgroup_id", np.uint64),
        ("bytes_sent", np.uint64),
        ("bytes_received", np.uint64),
        ("local_address", ADDRESS),
        ("peer_address", ADDRESS),
        ("comm", np.void, 16),
        ("socket_inode", np.uint32),
        ("netns", np.uint32),
        ("pid", np.uint32),
        ("uid", np.uint32),
        ("unread_bytes", np.uint32),
        ("unacked_bytes", np.uint32),
        ("segments_sent", np.uint32),
        ("segments_received", np.uint32),
        ("retransmits", np.uint32),
        ("rtt_us", np.uint32),
        ("rtt_var_us", np.uint32),
        ("min_rtt_us", np.uint32),
        ("connect_us", np.uint32),
        ("queue_length", np.uint32),
        ("queue_limit", np.uint32),
        ("isn_local", np.uint32),
        ("isn_peer", np.uint32),
        ("local_port", np.uint16),
        ("peer_port", np.uint16),
        ("error", np.uint16),
        ("known", np.uint16),
        ("exact", np.uint16),
        ("kind", np.uint8),
        ("tier", np.uint8),
        ("protocol", np.uint8),
        ("family", np.uint8),
        ("role", np.uint8),
        ("state", np.uint8),
        ("owner_evidence", np.uint8),
        ("failure", np.uint8),
        ("closed_by", np.uint8),
        ("reserved", np.uint8),
    ]
)
assert ROW.itemsize == 224

Rows = npt.NDArray[Any]
"""An array of `ROW`, shape (n,)."""

NO_UID = 0xFFFFFFFF

COLUMNS_OF = {
    Group.IDENTITY: ("connection_id", "socket_id", "socket_inode", "subflow_of"),
    Group.ENDS: (
        "protocol",
        "family",
        "local_address",
        "local_port",
        "peer_address",
        "peer_port",
        "netns",
        "role",
        "state",
    ),
    Group.OWNER: ("pid", "process_start_ns", "uid", "comm", "cgroup_id", "owner_evidence"),
    Group.TRAFFIC: (
        "bytes_sent",
        "bytes_received",
        "unread_bytes",
        "unacked_bytes",
        "segments_sent",
        "segments_received",
        "retransmits",
    ),
    Group.QUALITY: (
        "rtt_us",
        "rtt_var_us",
        "min_rtt_us",
        "connect_us",
        "error",
        "failure",
        "closed_by",
        "queue_length",
        "queue_limit",
    ),
    Group.LIFE: ("opened_ns", "closed_ns"),
    Group.JOIN: ("isn_local", "isn_peer"),
}
"""The columns of each group."""


def lost_row(count: int, time_ns: int, tier: int) -> Rows:
    """A batch of one row that says how many rows are missing before it."""
    rows = np.zeros(1, ROW)
    rows["kind"], rows["lost"], rows["time_ns"], rows["tier"] = Kind.LOST, count, time_ns, tier
    rows["uid"] = NO_UID
    return rows
