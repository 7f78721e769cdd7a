"""Rows as JSON: the names that others rely on."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.row.columns import NO_UID, ROW, Rows, lost_row
from connscope.row.json_lines import json_lines
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
from tests.unit.row.json_oracle import json_object
from tests.unit.sample_rows import any_rows, one_row, sensible_rows

OFFSETS = st.integers(0, 1 << 61)
WALL_MINUS_BOOTTIME_NS = 1_700_000_000_000_000_000
ALL_GROUPS = Group(127)


def parse(text: str) -> list[dict[str, Any]]:
    """The objects, one of each line; a key that stands twice is an error."""
    assert text == "" or text.endswith("\n")
    return [json.loads(line, object_pairs_hook=without_doubles) for line in text.splitlines()]


def without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of the pairs."""
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def parse_one(**columns: Any) -> dict[str, Any]:
    """The object of one row."""
    (found,) = parse(json_lines(one_row(**columns), WALL_MINUS_BOOTTIME_NS))
    return found


FULL = one_row(
    connection_id=0xFFFF_0000_0000_0001,
    socket_id=1 << 53 | 1,
    subflow_of=9007199254740995,
    time_ns=3_000_000_001,
    opened_ns=1_000_000_000,
    closed_ns=2_999_999_999,
    lost=0,
    process_start_ns=500_000_000,
    cgroup_id=4242,
    bytes_sent=1 << 40,
    bytes_received=0,
    local_address="10.0.0.1",
    peer_address="2001:db8::1",
    comm=b'a "b"\\\x1b[31m\xff',
    socket_inode=77,
    netns=4026531840,
    pid=123,
    uid=0,
    unread_bytes=5,
    unacked_bytes=6,
    segments_sent=7,
    segments_received=8,
    retransmits=9,
    rtt_us=10,
    rtt_var_us=0,
    min_rtt_us=11,
    connect_us=12,
    queue_length=0,
    queue_limit=0,
    isn_local=0,
    isn_peer=4294967295,
    local_port=54321,
    peer_port=443,
    error=104,
    known=ALL_GROUPS,
    exact=Group.IDENTITY | Group.TRAFFIC,
    kind=Kind.CLOSED,
    tier=Tier.BTF,
    protocol=Protocol.TCP,
    family=6,
    role=Role.CLIENT,
    state=State.CLOSE,
    owner_evidence=OwnerEvidence.CONNECT,
    failure=Failure.NONE,
    closed_by=ClosedBy.PEER_RESET,
)
GOLDEN = {
    "kind": "closed",
    "tier": "btf",
    "protocol": "tcp",
    "family": "ipv6",
    "state": "close",
    "role": "client",
    "owner_evidence": "connect",
    "closed_by": "peer_reset",
    "error": "ECONNRESET",
    "exact": ["identity", "traffic"],
    "time": "2023-11-14T22:13:23.000000001Z",
    "opened_at": "2023-11-14T22:13:21.000000000Z",
    "closed_at": "2023-11-14T22:13:22.999999999Z",
    "connection_id": "18446462598732840961",
    "socket_id": "9007199254740993",
    "socket_inode": 77,
    "subflow_of": "9007199254740995",
    "local_address": "10.0.0.1",
    "local_port": 54321,
    "peer_address": "2001:db8::1",
    "peer_port": 443,
    "netns": 4026531840,
    "pid": 123,
    "process_started_at": "2023-11-14T22:13:20.500000000Z",
    "comm": 'a "b"\\\\x1b[31m\\xff',
    "uid": 0,
    "cgroup_id": "4242",
    "bytes_sent": 1099511627776,
    "bytes_received": 0,
    "unread_bytes": 5,
    "unacked_bytes": 6,
    "segments_sent": 7,
    "segments_received": 8,
    "retransmits": 9,
    "rtt_us": 10,
    "rtt_var_us": 0,
    "min_rtt_us": 11,
    "connect_us": 12,
    "isn_local": 0,
    "isn_peer": 4294967295,
}


def test_full_row_is_written_out():
    """Every key, its form and the order of keys, for a connection that was closed."""
    text = json.dumps(GOLDEN, separators=(",", ":")) + "\n"
    assert json_lines(FULL, WALL_MINUS_BOOTTIME_NS) == text


@given(sensible_rows(), OFFSETS)
def test_objects_agree_with_the_oracle(rows: Rows, offset: int):
    """Each line is the object that the names and rules of the row make of it, one key at a time."""
    assert parse(json_lines(rows, offset)) == [json_object(row, offset) for row in rows]


@given(any_rows())
def test_any_bytes_make_lines(rows: Rows):
    """Numbers that no word, time or family stands for end no stream: each row is one object."""
    assert len(parse(json_lines(rows, WALL_MINUS_BOOTTIME_NS))) == len(rows)


@given(st.binary(max_size=16))
def test_name_can_not_break_out(raw: bytes):
    """A process name is one JSON text, and what it holds is printable."""
    assert parse_one(pid=1, comm=raw)["comm"].isprintable()


def test_no_rows_make_no_text():
    """An empty batch writes nothing."""
    assert json_lines(np.zeros(0, ROW), 0) == ""


def test_many_rows_are_lines_in_order():
    """A batch of any size has a line for each row, in order."""
    rows = np.zeros(5000, ROW)
    rows["lost"] = np.arange(1, 5001)
    assert [found["lost"] for found in parse(json_lines(rows, 0))] == list(range(1, 5001))


def test_rows_need_not_lie_side_by_side():
    """A stride over a batch is written like a copy of it."""
    rows = np.zeros(6, ROW)
    rows["pid"] = range(1, 7)
    assert json_lines(rows[::2], 0) == json_lines(rows[::2].copy(), 0)


def test_unknown_has_no_key():
    """A row that knows nothing says what it is and when."""
    assert parse_one(kind=Kind.SNAPSHOT, time_ns=1, tier=Tier.PROCFS) == {
        "kind": "snapshot",
        "tier": "procfs",
        "time": "2023-11-14T22:13:20.000000001Z",
    }


def test_lost_row_says_how_many():
    """A lost row has its count and nothing of a connection."""
    assert parse(json_lines(lost_row(12, 1, Tier.BTF), 0)) == [
        {"kind": "lost", "tier": "btf", "time": "1970-01-01T00:00:00.000000001Z", "lost": 12}
    ]


def test_root_is_a_user():
    """User 0 is known, and only the number for nobody is not."""
    assert ("uid" in parse_one(uid=0), "uid" in parse_one(uid=NO_UID)) == (True, False)


def test_unknown_start_of_a_process_has_no_key():
    """A pid whose start nobody knows is no process that started at an empty time."""
    assert "process_started_at" not in parse_one(pid=1, comm=b"init")


def test_nothing_exact_is_an_empty_list():
    """Known but estimated is told from unknown."""
    assert (parse_one(known=Group.OWNER)["exact"], "exact" in parse_one()) == ([], False)


def test_listener_has_its_queue():
    """The queue of a listener is written also if it is empty, and only for listeners."""
    listener = parse_one(kind=Kind.LISTENING, state=State.LISTEN, queue_limit=128)
    client = parse_one(kind=Kind.OPENED, state=State.ESTABLISHED, queue_limit=128)
    assert (listener["queue_length"], listener["queue_limit"]) == (0, 128)
    assert "queue_limit" not in client


@pytest.mark.parametrize(
    ("columns", "key", "text"),
    [
        ({"kind": 99}, "kind", "99"),
        ({"tier": 200}, "tier", "200"),
        ({"role": 7}, "role", "7"),
        ({"known": Group.ENDS, "protocol": 132}, "protocol", "132"),
        ({"known": Group.ENDS, "state": 12}, "state", "12"),
        ({"owner_evidence": 9}, "owner_evidence", "9"),
        ({"failure": 40}, "failure", "40"),
        ({"closed_by": 41}, "closed_by", "41"),
        ({"error": 524}, "error", "524"),
    ],
)
def test_number_without_a_word_is_its_own(columns: dict[str, int], key: str, text: str):
    """What a newer kernel or agent says is passed on as the number that it is."""
    assert parse_one(**columns)[key] == text


def test_unknown_failure_is_a_word():
    """A failure whose cause nobody knows is one, other than no failure."""
    assert (parse_one(failure=Failure.UNKNOWN)["failure"], "failure" in parse_one()) == (
        "unknown",
        False,
    )
