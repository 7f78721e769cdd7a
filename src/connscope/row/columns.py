"""The row as a NumPy dtype; ``bpf/row.h`` declares the same record in C.

Times are CLOCK_BOOTTIME nanoseconds, ports are host order, addresses are 16 bytes as on the wire
with IPv4 as v4-mapped. Which columns hold something is told by `known`, which of those are the
truth by `exact`, both a bit for each group.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from connscope.row.words import Group, Kind

__all__ = ("COLUMNS", "COLUMNS_OF", "NO_UID", "ROW", "Column", "Rows", "lost_row")

ADDRESS = np.dtype((np.uint8, 16))
TEXT = np.dtype((np.void, 16))


class Column(NamedTuple):
    """One column: its name, its type, its group (None: every row has it), what it means."""

    name: str
    type: npt.DTypeLike
    group: Group | None
    meaning: str


COLUMNS = (
    Column("connection_id", np.uint64, Group.IDENTITY, "the connection, unique until reboot"),
    Column("socket_id", np.uint64, Group.IDENTITY, "the socket cookie"),
    Column("subflow_of", np.uint64, Group.IDENTITY, "the socket cookie of the MPTCP socket"),
    Column("time_ns", np.uint64, None, "when the row was made"),
    Column("opened_ns", np.uint64, Group.LIFE, "handshake done, attempt begun, first datagram"),
    Column("closed_ns", np.uint64, Group.LIFE, "change to CLOSE; of an idle flow, last datagram"),
    Column("lost", np.uint64, None, "how many rows a lost row stands for"),
    Column("process_start_ns", np.uint64, Group.OWNER, "when the process started: pids are reused"),
    Column("cgroup_id", np.uint64, Group.OWNER, "the cgroup2 of the socket"),
    Column("bytes_sent", np.uint64, Group.TRAFFIC, "payload that the application's calls accepted"),
    Column("bytes_received", np.uint64, Group.TRAFFIC, "in-order payload; of UDP, what calls got"),
    Column("local_address", ADDRESS, Group.ENDS, "as on the wire, IPv4 as v4-mapped"),
    Column("peer_address", ADDRESS, Group.ENDS, "as on the wire, IPv4 as v4-mapped"),
    Column("comm", TEXT, Group.OWNER, "name of the process, up to the first NUL"),
    Column("socket_inode", np.uint32, Group.IDENTITY, "as in /proc/PID/fd; 0 for no file"),
    Column("netns", np.uint32, Group.ENDS, "inode of the network namespace"),
    Column("pid", np.uint32, Group.OWNER, "process (not thread) in the first pid namespace"),
    Column("uid", np.uint32, Group.OWNER, "user of the socket; 0xffffffff unknown"),
    Column("unread_bytes", np.uint32, Group.TRAFFIC, "received, not read by the application yet"),
    Column("unacked_bytes", np.uint32, Group.TRAFFIC, "accepted, not acknowledged by the peer yet"),
    Column(
        "segments_sent",
        np.uint32,
        Group.TRAFFIC,
        "TCP segments out; UDP: calls that sent, from conntrack datagrams",
    ),
    Column(
        "segments_received",
        np.uint32,
        Group.TRAFFIC,
        "TCP segments in; UDP: calls that received, from conntrack datagrams",
    ),
    Column("retransmits", np.uint32, Group.TRAFFIC, "segments that were sent again"),
    Column("rtt_us", np.uint32, Group.QUALITY, "smoothed round trip time"),
    Column("rtt_var_us", np.uint32, Group.QUALITY, "mean deviation of the round trip time"),
    Column("min_rtt_us", np.uint32, Group.QUALITY, "the shortest round trip time of late"),
    Column("connect_us", np.uint32, Group.QUALITY, "from SYN to ESTABLISHED; client only"),
    Column("queue_length", np.uint32, Group.QUALITY, "of a listener: waiting to be accepted"),
    Column("queue_limit", np.uint32, Group.QUALITY, "of a listener: how many may wait"),
    Column("isn_local", np.uint32, Group.JOIN, "initial sequence number that we sent"),
    Column("isn_peer", np.uint32, Group.JOIN, "initial sequence number that the peer sent"),
    Column("local_port", np.uint16, Group.ENDS, "host order"),
    Column("peer_port", np.uint16, Group.ENDS, "host order"),
    Column("error", np.uint16, Group.QUALITY, "errno that ended it"),
    Column("known", np.uint16, None, "bits of the groups that are filled"),
    Column("exact", np.uint16, None, "bits of the groups that are the truth, not an estimate"),
    Column("kind", np.uint8, None, "what happened"),
    Column("tier", np.uint8, None, "the way of capture"),
    Column("protocol", np.uint8, Group.ENDS, "IANA number"),
    Column("family", np.uint8, Group.ENDS, "4 or 6; a v4-mapped connection is 4"),
    Column("role", np.uint8, Group.ENDS, "which side the local end is"),
    Column("state", np.uint8, Group.ENDS, "TCP state of the kernel"),
    Column("owner_evidence", np.uint8, Group.OWNER, "why we say that this process owns it"),
    Column("failure", np.uint8, Group.QUALITY, "why a connect did not succeed"),
    Column("closed_by", np.uint8, Group.QUALITY, "who ended the connection"),
    Column(
        "left_state",
        np.uint8,
        None,
        "the TCP state that a closed row left for CLOSE; of UDP, 128: an end is the broadcast "
        "address of a network",
    ),
)
"""All columns in the order of the record."""

ROW = np.dtype([(column.name, column.type) for column in COLUMNS])

Rows = npt.NDArray[Any]
"""An array of `ROW`, shape (n,)."""

NO_UID = 0xFFFFFFFF

COLUMNS_OF = {
    group: tuple(column.name for column in COLUMNS if column.group == group) for group in Group
}
"""The names of each group's columns, in the order of the record."""


def lost_row(count: int, time_ns: int, tier: int) -> Rows:
    """A batch of one row that says how many rows are missing before it."""
    rows = np.zeros(1, ROW)
    rows["kind"], rows["lost"], rows["time_ns"], rows["tier"] = Kind.LOST, count, time_ns, tier
    rows["uid"] = NO_UID
    return rows
