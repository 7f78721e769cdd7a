"""Rows of open sockets, as a look has them."""

from __future__ import annotations

from typing import Any

from connscope.row.columns import Rows
from connscope.row.words import Group, Kind, OwnerEvidence, Protocol, Role, State
from tests.unit.sample_rows import one_row

SECOND_NS = 1_000_000_000
NOW_NS = 1_000_000 * SECOND_NS
SNAPSHOT: dict[str, Any] = {
    "kind": Kind.SNAPSHOT,
    "protocol": Protocol.TCP,
    "family": 4,
    "time_ns": NOW_NS,
    "known": Group(127),
    "netns": 4026531840,
    "owner_evidence": OwnerEvidence.FD_TABLE,
}
CONNECTION: dict[str, Any] = {
    **SNAPSHOT,
    "connection_id": 77,
    "state": State.ESTABLISHED,
    "role": Role.CLIENT,
    "local_address": "10.0.0.1",
    "local_port": 54321,
    "peer_address": "192.168.100.200",
    "peer_port": 443,
    "pid": 1234,
    "uid": 0,
    "comm": b"curl",
    "bytes_sent": 12_345,
    "bytes_received": 6_700_000,
    "rtt_us": 12_340,
    "opened_ns": NOW_NS - 125 * SECOND_NS,
}
LISTENER: dict[str, Any] = {
    **SNAPSHOT,
    "connection_id": 88,
    "known": Group.IDENTITY | Group.ENDS | Group.OWNER | Group.QUALITY,
    "state": State.LISTEN,
    "role": Role.SERVER,
    "local_address": "0.0.0.0",
    "local_port": 443,
    "peer_address": "0.0.0.0",
    "pid": 99,
    "uid": 0,
    "comm": b"nginx",
    "queue_length": 3,
    "queue_limit": 128,
}
TIME_WAIT: dict[str, Any] = {
    **SNAPSHOT,
    "known": Group.ENDS,
    "state": State.TIME_WAIT,
    "local_address": "fd00::1",
    "local_port": 443,
    "peer_address": "fd00::2",
    "peer_port": 50000,
    "family": 6,
    "owner_evidence": OwnerEvidence.UNKNOWN,
}


def connection(**columns: Any) -> Rows:
    """An established connection of curl, with other values in some columns."""
    return one_row(**{**CONNECTION, **columns})


def listener(**columns: Any) -> Rows:
    """A listener of nginx."""
    return one_row(**{**LISTENER, **columns})


def time_wait(**columns: Any) -> Rows:
    """What the kernel keeps of a connection that has no process any more."""
    return one_row(**{**TIME_WAIT, **columns})
