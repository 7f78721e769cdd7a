"""Connections of two tiers, with a comparison of all pairs as the judge."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.row.columns import ROW, Rows
from connscope.row.words import Group
from connscope.table.matching import NOBODY, match_rows
from tests.unit.table.rows import ALL, batch, connection

FEW = st.integers(0, 2)
JOIN = int(Group.JOIN)


def described(values: tuple[int, ...]) -> Rows:
    """A row of which hardly anything differs from the next one."""
    cookie, inode, port, netns, peer, known, number = values
    row = connection(1, socket_id=cookie, socket_inode=inode, local_port=port, netns=netns)
    row["peer_address"][:, 15] = peer
    row["known"], row["isn_local"] = known, number
    return row


BATCHES = st.lists(
    st.tuples(FEW, FEW, FEW, st.integers(1, 2), FEW, st.sampled_from([ALL, ALL & ~JOIN]), FEW),
    max_size=5,
).map(lambda each: batch(*map(described, each)))


def ends(row: Any) -> tuple[Any, ...]:
    """Both ends, where they are."""
    addresses = row["local_address"].tobytes(), row["peer_address"].tobytes()
    return (*(row[name] for name in ("protocol", "netns", "local_port", "peer_port")), *addresses)


def are_same(row: Any, other: Any) -> bool:
    """Nothing that both know differs."""
    numbers = ("socket_id", "socket_inode")
    same = all(row[name] == other[name] or not row[name] or not other[name] for name in numbers)
    if row["known"] & other["known"] & JOIN:
        same &= row["isn_local"] == other["isn_local"] and row["isn_peer"] == other["isn_peer"]
    return bool(same) and ends(row) == ends(other)


KEYS = (
    lambda row: int(row["socket_id"]) or None,
    lambda row: (int(row["netns"]), int(row["socket_inode"])) if row["socket_inode"] else None,
    ends,
)


def matched_slowly(rows: Rows, known: Rows) -> list[int]:
    """By cookie, then by inode, then by ends, where it is clear who is meant."""
    found = [NOBODY] * len(rows)
    for key in KEYS:
        asks = [at for at in range(len(rows)) if found[at] == NOBODY]
        free = [at for at in range(len(known)) if at not in found]
        for at in asks:
            rivals = [other for other in asks if key(rows[other]) == key(rows[at])]
            hits = [other for other in free if key(known[other]) == key(rows[at])]
            if key(rows[at]) is None or len(rivals) > 1 or len(hits) != 1:
                continue
            if are_same(rows[at], known[hits[0]]):
                found[at] = hits[0]
    return found


@given(BATCHES, BATCHES)
def test_all_pairs_agree(rows, known):
    """The three ways in their order."""
    assert match_rows(rows, known).tolist() == matched_slowly(rows, known)


@given(BATCHES, BATCHES)
def test_nobody_is_matched_twice(rows, known):
    """A connection is one other connection, or none."""
    found = [each for each in match_rows(rows, known).tolist() if each != NOBODY]
    assert len(found) == len(set(found))


@pytest.mark.parametrize("lacks", [(), ("socket_id",), ("socket_id", "socket_inode")])
def test_each_way_finds_it_in_a_crowd(lacks):
    """Among hundreds, in any order, whatever the id."""
    known = batch(*(connection(number) for number in range(300)))
    rows = known[np.random.default_rng(1).permutation(300)]
    rows["connection_id"] = 77
    for name in lacks:
        rows[name] = 0
    assert np.array_equal(known["local_port"][match_rows(rows, known)], rows["local_port"])


@pytest.mark.parametrize(
    "change",
    [
        {"local_port": 9},
        {"peer_port": 9},
        {"netns": 9},
        {"protocol": 17},
        {"local_address": "10.9.9.9"},
        {"peer_address": "10.9.9.9"},
        {"socket_inode": 9},
        {"isn_local": 9},
        {"isn_peer": 9},
    ],
)
def test_socket_that_was_connected_once_more_is_another_connection(change):
    """The cookie alone proves nothing."""
    assert match_rows(connection(1, **change), connection(1)).tolist() == [NOBODY]


def test_sequence_numbers_count_only_where_both_know_them():
    """Zeros of a tier that can not read them are no numbers."""
    row = connection(1, isn_local=9, known=ALL & ~JOIN)
    assert match_rows(row, connection(1)).tolist() == [0]


def test_ends_that_two_have_are_nobodys():
    """Listeners with SO_REUSEPORT are told apart by socket or not at all."""
    blind = connection(1, socket_id=0, socket_inode=0)
    assert match_rows(blind, batch(blind, blind)).tolist() == [NOBODY]
    assert match_rows(batch(blind, blind), blind).tolist() == [NOBODY, NOBODY]


def test_inodes_are_of_one_namespace():
    """The same number elsewhere is another socket, though its ends are the same."""
    row = connection(1, socket_id=0)
    assert match_rows(row, connection(1, netns=2)).tolist() == [NOBODY]


def test_of_two_with_the_same_ends_the_one_that_is_left_is_found():
    """Once the other has been found by its cookie."""
    known = batch(connection(1), connection(1, socket_id=7, socket_inode=8))
    row = connection(1, socket_id=0, socket_inode=0)
    assert match_rows(batch(connection(1), row), known).tolist() == [0, 1]


def test_nobody_matches_nobody():
    """Empty batches are fine."""
    nothing, one = np.empty(0, ROW), connection(1)
    assert match_rows(nothing, one).tolist() == []
    assert match_rows(one, nothing).tolist() == [NOBODY]
