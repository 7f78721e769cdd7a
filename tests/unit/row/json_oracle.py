"""What a row is as JSON, made slowly: one row after the other, one key after the other."""

from __future__ import annotations

import errno
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from connscope.row.cast import NETWORK_BROADCAST
from connscope.row.columns import NO_UID
from connscope.row.outside_text import printable
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

SECOND_NS = 1_000_000_000
KNOWN_WITH = {
    Group.ENDS: ("local_port", "peer_port"),
    Group.TRAFFIC: (
        "bytes_sent",
        "bytes_received",
        "unread_bytes",
        "unacked_bytes",
        "segments_sent",
        "segments_received",
        "retransmits",
    ),
    Group.JOIN: ("isn_local", "isn_peer"),
}
UNKNOWN_IF_ZERO = ("socket_inode", "lost", "netns", "pid", "rtt_us", "min_rtt_us", "connect_us")
IDS = ("connection_id", "socket_id", "subflow_of", "cgroup_id")
TIMES = {
    "time": "time_ns",
    "opened_at": "opened_ns",
    "closed_at": "closed_ns",
    "process_started_at": "process_start_ns",
}
WORDS = {
    "role": Role,
    "owner_evidence": OwnerEvidence,
    "failure": Failure,
    "closed_by": ClosedBy,
}
EVERYBODY = IPv4Address("255.255.255.255")


def json_object(row: Any, wall_minus_boottime_ns: int) -> dict[str, Any]:
    """The object of one row."""
    known = Group(int(row["known"]))
    found: dict[str, Any] = {
        "kind": Kind(row["kind"]).name.lower(),
        "tier": Tier(row["tier"]).name.lower(),
    }
    for part in (_times(row, wall_minus_boottime_ns), _numbers(row), _owner(row), _quality(row)):
        found |= part
    for group, names in KNOWN_WITH.items():
        found |= {name: int(row[name]) for name in names if group in known}
    if Group.ENDS in known:
        found |= _ends(row)
    if known:
        found["exact"] = [word(group) for group in Group if row["exact"] & group]
    return found


def _times(row: Any, wall_minus_boottime_ns: int) -> dict[str, str]:
    columns = {key: column for key, column in TIMES.items() if row[column]}
    if not row["pid"]:
        columns.pop("process_started_at", None)
    return {key: _time(row[column], wall_minus_boottime_ns) for key, column in columns.items()}


def _numbers(row: Any) -> dict[str, Any]:
    return {
        **{name: str(row[name]) for name in IDS if row[name]},
        **{name: int(row[name]) for name in UNKNOWN_IF_ZERO if row[name]},
        **{name: words(row[name]).name.lower() for name, words in WORDS.items() if row[name]},
    }


def _owner(row: Any) -> dict[str, Any]:
    comm = {"comm": printable(row["comm"].tobytes())} if row["pid"] else {}
    return comm | ({"uid": int(row["uid"])} if row["uid"] != NO_UID else {})


def _quality(row: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if row["rtt_us"]:
        found["rtt_var_us"] = int(row["rtt_var_us"])
    if row["error"]:
        found["error"] = errno.errorcode.get(int(row["error"]), str(row["error"]))
    if row["state"] == State.LISTEN or row["kind"] == Kind.UNLISTENED:
        found["queue_length"] = int(row["queue_length"])
        if row["queue_limit"] or row["exact"] & Group.QUALITY:
            found["queue_limit"] = int(row["queue_limit"])
    return found


def _ends(row: Any) -> dict[str, Any]:
    addresses = {end: IPv6Address(row[end].tobytes()) for end in ("local_address", "peer_address")}
    return {
        "protocol": Protocol(row["protocol"]).name.lower(),
        "family": f"ipv{row['family']}",
        "state": State(row["state"]).name.lower(),
        **{end: str(address.ipv4_mapped or address) for end, address in addresses.items()},
        **_cast(row, [address.ipv4_mapped or address for address in addresses.values()]),
    }


def _cast(row: Any, addresses: list[IPv4Address | IPv6Address]) -> dict[str, str]:
    if row["protocol"] != Protocol.UDP:
        return {}
    if EVERYBODY in addresses or row["left_state"] == NETWORK_BROADCAST:
        return {"cast": "broadcast"}
    return {"cast": "multicast"} if any(each.is_multicast for each in addresses) else {}


def _time(time_ns: int, wall_minus_boottime_ns: int) -> str:
    seconds, nanoseconds = divmod(int(time_ns) + wall_minus_boottime_ns, SECOND_NS)
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"
