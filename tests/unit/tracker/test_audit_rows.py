"""Which rows the audit counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.sample_rows import one_row, sensible_rows
from tests.unit.tracker.audit_rows_oracle import counted

from connscope.row.columns import ROW, Rows
from connscope.row.words import Failure, Group, Kind, Role, State
from connscope.tracker.audit_rows import Seen, Tally, count_rows

ALL = Group(127)
HERE = {"netns": 4026531840, "known": ALL, "exact": ALL, "segments_sent": 1}
CLIENT, SERVER = HERE | {"role": Role.CLIENT}, HERE | {"role": Role.SERVER}
NO_QUALITY = ALL & ~Group.QUALITY


def seen(rows: Rows, start_ns: int = 0) -> dict[Seen, int]:
    """What is counted of rows of one namespace, without zeros."""
    (counts,) = count_rows(rows, start_ns)[1]
    return {each: int(counts[each]) for each in Seen if counts[each]}


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (CLIENT | {"kind": Kind.OPENED}, {Seen.ACTIVE: 1}),
        (CLIENT | {"kind": Kind.OPENED, "segments_sent": 0}, {}),
        (SERVER | {"kind": Kind.OPENED}, {Seen.PASSIVE: 1}),
        (SERVER | {"kind": Kind.ACCEPTED}, {}),
        (SERVER | {"kind": Kind.LISTENING}, {}),
        (CLIENT | {"kind": Kind.SNAPSHOT}, {}),
        (
            CLIENT | {"kind": Kind.FAILED, "failure": Failure.REFUSED, "error": 111},
            {Seen.ACTIVE: 1, Seen.FAILS: 1},
        ),
        (CLIENT | {"kind": Kind.FAILED, "failure": Failure.ABANDONED}, {Seen.ACTIVE: 1}),
        (
            CLIENT
            | {"kind": Kind.FAILED, "failure": Failure.UNREACHABLE, "error": 113}
            | {"exact": NO_QUALITY},
            {Seen.ACTIVE: 1},
        ),
        (
            CLIENT
            | {"kind": Kind.FAILED, "failure": Failure.NO_PORT, "error": 99, "segments_sent": 0},
            {},
        ),
        (
            CLIENT
            | {"kind": Kind.FAILED, "failure": Failure.DENIED, "error": 1, "segments_sent": 0},
            {},
        ),
        (SERVER | {"kind": Kind.FAILED}, {Seen.PASSIVE: 1}),
        (CLIENT | {"kind": Kind.CLOSED, "left_state": State.ESTABLISHED}, {Seen.RESETS: 1}),
        (SERVER | {"kind": Kind.CLOSED, "left_state": State.CLOSE_WAIT}, {Seen.RESETS: 1}),
        (CLIENT | {"kind": Kind.CLOSED, "left_state": State.LAST_ACK, "error": 104}, {}),
        (CLIENT | {"kind": Kind.CLOSED, "left_state": State.FIN_WAIT2}, {}),
        (
            SERVER | {"kind": Kind.CLOSED, "known": Group.ENDS, "left_state": State.SYN_RECV},
            {Seen.PASSIVE: 1},
        ),
    ],
    ids=lambda value: str(int(value["kind"])) if "kind" in value else "",
)
def test_row_counts_as(columns: dict[str, object], expected: dict[Seen, int]):
    """Each kind of row is a beginning, a reset, a failure, or nothing to the kernel."""
    assert seen(one_row(**columns)) == expected


def test_handshake_that_was_under_way_has_been_counted_before():
    """A socket that was connecting when the window began is none of it, another one is."""
    rows = np.concatenate(
        [one_row(**CLIENT, kind=Kind.OPENED, socket_id=number) for number in (7, 8)]
    )
    (counts,) = count_rows(rows, 0, np.array([7], np.uint64))[1]
    assert counts[Seen.ACTIVE] == 1


def test_retransmits_are_of_connections_that_began_in_the_window():
    """What an older connection sent again was counted before."""
    closed = {**CLIENT, "kind": Kind.CLOSED, "retransmits": 5}
    old, new = one_row(**closed, opened_ns=99), one_row(**closed, opened_ns=100)
    slow = one_row(**closed, opened_ns=5000, connect_us=5)
    assert seen(np.concatenate((old, new, slow)), 100) == {Seen.RETRANSMITS: 5}


def test_retransmits_of_a_server_are_those_after_its_handshake():
    """The request socket may have sent its SYN-ACK again before the window began."""
    rows = [
        one_row(**SERVER, kind=kind, retransmits=number)
        for kind, number in ((Kind.OPENED, 2), (Kind.CLOSED, 7), (Kind.FAILED, 9))
    ]
    assert seen(np.concatenate(rows))[Seen.RETRANSMITS] == 5


@given(
    sensible_rows(),
    st.lists(st.integers(0, 3), max_size=3, unique=True),
    st.booleans(),
    st.integers(0, 1 << 61),
)
def test_columns_are_counted_as_single_rows_are(
    rows: Rows, earlier: list[int], far_apart: bool, start_ns: int
):
    """Whatever the rows say, and however many namespaces there are."""
    rows["netns"] %= 1 << 31 if far_apart else 3
    rows["socket_id"] %= 4
    rows["error"] %= 2
    rows["left_state"] %= 12
    rows["retransmits"] %= 1 << 20
    rows["opened_ns"] += 1 << 52
    ids = np.array(earlier, np.uint64)
    inodes, counts = count_rows(rows, start_ns, ids)
    expected = counted(rows, start_ns, set(earlier))
    assert inodes.tolist() == sorted(expected)
    for inode, found in zip(inodes.tolist(), counts, strict=True):
        assert found.tolist() == [expected[inode][each] for each in Seen]


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=9), max_size=5))
def test_tally_is_the_sum_of_its_batches(batches: list[list[int]]):
    """Namespaces may come in any order; of one that never came there are zeros."""
    tally, every = Tally(), [netns for batch in batches for netns in batch]
    for batch in batches:
        rows = np.zeros(len(batch), ROW)
        rows["netns"], rows["kind"], rows["role"] = batch, Kind.OPENED, Role.SERVER
        tally.add(*count_rows(rows, 0))
    for netns in range(11):
        assert tally.of(netns)[Seen.PASSIVE] == every.count(netns)


def test_tally_forgets_what_is_not_kept():
    """Of the others nothing is left."""
    tally = Tally()
    for netns in (3, 1, 2):
        tally.add(*count_rows(one_row(kind=Kind.OPENED, role=Role.SERVER, netns=netns), 0))
    tally.keep([1, 3])
    assert tally.inodes.tolist() == [1, 3]
    assert tally.of(2).sum() == 0
    assert tally.of(3).sum() == 1
