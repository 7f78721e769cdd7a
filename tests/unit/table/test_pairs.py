"""Which rows are the two ends of one connection."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.row.columns import ROW, Rows
from connscope.row.words import Group, Kind, Protocol, State
from connscope.table.pairs import NO_OTHER_END, find_other_ends
from tests.unit.sample_rows import one_row, packed

NONE = NO_OTHER_END
MIRROR = (
    ("local_address", "peer_address"),
    ("local_port", "peer_port"),
    ("isn_local", "isn_peer"),
)


def connection(local: str, peer: str, **columns: Any) -> Rows:
    """A row of an open connection from port 40000 to port 80, without sequence numbers."""
    given_columns = {
        "local_address": local,
        "peer_address": peer,
        "local_port": 40000,
        "peer_port": 80,
        "protocol": Protocol.TCP,
        "kind": Kind.SNAPSHOT,
        "state": State.ESTABLISHED,
        "known": Group.ENDS,
        "netns": 1,
    }
    return one_row(**(given_columns | columns))


def with_isn(rows: Rows, isn_local: Any, isn_peer: Any, *, exact: bool = True) -> Rows:
    """The same rows with initial sequence numbers."""
    rows = rows.copy()
    rows["known"] |= np.uint16(Group.JOIN)
    rows["exact"] |= np.uint16(Group.JOIN if exact else 0)
    rows["isn_local"], rows["isn_peer"] = isn_local, isn_peer
    return rows


def mirrored(rows: Rows, **columns: Any) -> Rows:
    """The other end."""
    other = rows.copy()
    for local, peer in MIRROR:
        other[local], other[peer] = rows[peer], rows[local]
    for name, value in columns.items():
        text = name.endswith("_address")
        other[name] = np.frombuffer(packed(value), np.uint8) if text else value
    return other


def other_ends(*ends: Rows) -> list[int]:
    """The other end of each."""
    return [int(number) for number in find_other_ends(np.concatenate(ends))]


LOOPBACK = connection("127.0.0.1", "127.0.0.1")
LOCAL = connection("10.0.0.1", "10.0.0.2")


@pytest.mark.parametrize(
    "row",
    [
        LOOPBACK,
        connection("127.0.0.1", "127.9.9.9"),
        connection("::1", "::1"),
        connection("192.0.2.7", "192.0.2.7"),
        LOCAL,
        connection("fd00::1", "fd00::2"),
    ],
)
def test_mirrored_rows_are_one_connection(row: Rows):
    """Each is the other's other end."""
    assert other_ends(row, mirrored(row)) == [1, 0]


def test_no_rows_have_no_ends():
    """An empty batch gives an empty answer."""
    assert other_ends(np.empty(0, ROW)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"local_address": "10.0.0.3"},
        {"peer_address": "10.0.0.3"},
        {"local_port": 81},
        {"peer_port": 40001},
        {"protocol": Protocol.UDP},
    ],
    ids=str,
)
def test_rows_that_do_not_mirror_are_two_connections(change: dict[str, Any]):
    """Every part of the tuple counts."""
    assert other_ends(LOCAL, mirrored(LOCAL, **change)) == [NONE, NONE]


@pytest.mark.parametrize(
    "row",
    [
        LOOPBACK,
        connection("127.0.0.1", "127.9.9.9"),
        connection("::1", "::1"),
        connection("192.0.2.7", "192.0.2.7"),
    ],
)
def test_loopback_of_two_namespaces_never_joins(row: Rows):
    """Not even with sequence numbers that mirror each other."""
    row = with_isn(row, 1, 2)
    assert other_ends(row, mirrored(row, netns=2)) == [NONE, NONE]


def test_loopback_of_an_unknown_namespace_does_not_join():
    """Two rows that do not know theirs may be in two."""
    row = connection("::1", "::1", netns=0)
    assert other_ends(row, mirrored(row)) == [NONE, NONE]


def test_same_loopback_tuple_in_two_namespaces_is_two_connections():
    """Each joins within its own."""
    there = mirrored(LOOPBACK)
    here2, there2 = LOOPBACK.copy(), there.copy()
    here2["netns"] = there2["netns"] = 2
    assert other_ends(LOOPBACK, here2, there2, there) == [3, 2, 1, 0]


def test_connection_between_namespaces_joins():
    """As over a veth."""
    assert other_ends(LOCAL, mirrored(LOCAL, netns=2)) == [1, 0]


def test_two_candidates_are_none():
    """The same tuple in two namespaces, and one end that may be the other of both."""
    there = mirrored(LOCAL, netns=3)
    twin = LOCAL.copy()
    twin["netns"] = 2
    assert other_ends(LOCAL, twin, there) == [NONE, NONE, NONE]


def test_sequence_numbers_choose_between_candidates():
    """They mirror each other only in the ends of one connection."""
    one, other = with_isn(LOCAL, 1, 2), with_isn(LOCAL, 3, 4)
    assert other_ends(one, other, mirrored(other), mirrored(one)) == [3, 2, 1, 0]


def test_sequence_numbers_that_do_not_mirror_keep_apart():
    """The tuple alone is not enough where both know them."""
    assert other_ends(with_isn(LOCAL, 1, 2), with_isn(mirrored(LOCAL), 2, 3)) == [NONE, NONE]


def test_one_end_without_sequence_numbers_joins_by_its_tuple():
    """What is not known contradicts nothing."""
    assert other_ends(with_isn(LOCAL, 1, 2), mirrored(LOCAL)) == [1, 0]


def test_proof_outweighs_a_candidate_without_sequence_numbers():
    """One row proves to be the other end, so the other row is of another connection."""
    one = with_isn(LOCAL, 1, 2)
    assert other_ends(one, mirrored(LOCAL), mirrored(one)) == [2, NONE, 0]


def test_two_proofs_leave_nothing_for_a_third_candidate():
    """If two rows prove to be the other end, one without sequence numbers is not the only one."""
    one = with_isn(LOCAL, 1, 2)
    assert other_ends(one, mirrored(one), mirrored(one), mirrored(LOCAL)) == [NONE] * 4


def test_translated_address_joins_by_sequence_numbers():
    """The client sees the address that it called, the server the one that it has."""
    client = with_isn(connection("10.0.0.1", "10.96.0.1"), 1, 2)
    server = mirrored(client, local_address="10.0.0.9", local_port=8080, netns=2)
    assert other_ends(client, server) == [1, 0]


@pytest.mark.parametrize(
    "change",
    [
        {"exact": 0},
        {"known": Group.ENDS},
        {"isn_peer": 9},
        {"isn_local": 0, "isn_peer": 0},
        {"protocol": Protocol.UDP},
        {"local_port": 8080, "peer_port": 1, "peer_address": "10.7.7.7"},
    ],
    ids=str,
)
def test_translated_address_needs_all_of_the_proof(change: dict[str, Any]):
    """Exact numbers that mirror each other, and an address or a port in common."""
    client = with_isn(connection("10.0.0.1", "10.96.0.1"), 1, 2)
    server = mirrored(client, **{"local_address": "10.0.0.9", **change})
    assert other_ends(client, server) == [NONE, NONE]


def test_several_with_the_same_sequence_numbers_are_none():
    """One of three rows can not be told from another."""
    client = with_isn(connection("10.0.0.1", "10.96.0.1"), 1, 2)
    servers = [mirrored(client, local_address=f"10.0.0.{last}") for last in (8, 9)]
    assert other_ends(client, *servers) == [NONE, NONE, NONE]


def test_socket_connected_to_itself_is_its_own_other_end():
    """It has one row, which is both ends."""
    row = connection("127.0.0.1", "127.0.0.1", local_port=80)
    assert other_ends(LOOPBACK, row, mirrored(LOOPBACK)) == [2, 1, 0]


@pytest.mark.parametrize(
    "change",
    [
        {"kind": Kind.FAILED},
        {"kind": Kind.LISTENING},
        {"kind": Kind.UNLISTENED},
        {"kind": Kind.LOST},
        {"state": State.LISTEN},
        {"known": 0},
        {"peer_port": 0, "local_port": 0},
    ],
    ids=str,
)
def test_what_is_no_connection_has_no_other_end(change: dict[str, Any]):
    """Nor is it one."""
    row = LOCAL.copy()
    for name, value in change.items():
        row[name] = value
    assert other_ends(row, mirrored(row)) == [NONE, NONE]


def mirrors(rows: Rows, i: int, j: int) -> bool:
    """Whether two rows have the tuples of two ends, in places that may be joined."""
    one, other = rows[i], rows[j]
    same = all(
        np.array_equal(one[local], other[peer]) and np.array_equal(one[peer], other[local])
        for local, peer in MIRROR[:2]
    )
    inside = np.array_equal(one["local_address"], one["peer_address"])
    return i != j and same and (not inside or one["netns"] == other["netns"])


def agree(rows: Rows, i: int, j: int) -> bool | None:
    """What the sequence numbers say; None where one does not know them."""
    if not rows["known"][i] & rows["known"][j] & Group.JOIN:
        return None
    mirrored_isn = rows["isn_local"][i], rows["isn_peer"][i]
    return bool(mirrored_isn == (rows["isn_peer"][j], rows["isn_local"][j]))


def expected_by_tuple(rows: Rows) -> list[int]:
    """The rules of joining by tuple, one row after the other."""
    count = range(len(rows))
    found = [NONE] * len(rows)
    proven = [[j for j in count if mirrors(rows, i, j) and agree(rows, i, j)] for i in count]
    for i in count:
        if len(proven[i]) == 1 and proven[proven[i][0]] == [i]:
            found[i] = proven[i][0]
    rest = [i for i in count if found[i] == NONE]
    possible = {
        i: [j for j in rest if mirrors(rows, i, j) and agree(rows, i, j) is None] for i in rest
    }
    for i in rest:
        single = possible[i][0] if len(possible[i]) == 1 else NONE
        if single != NONE and possible[single] == [i] and not proven[i] and not proven[single]:
            found[i] = single
    return found


@st.composite
def few_tuples(draw: st.DrawFn) -> Rows:
    """Rows that are alike: two addresses, two ports, three namespaces, three sequence numbers."""
    count = draw(st.integers(0, 8))
    rows = [
        connection(
            *draw(st.sampled_from((("10.0.0.1", "10.0.0.2"), ("10.0.0.1", "10.0.0.1")))),
            netns=draw(st.integers(1, 3)),
            local_port=draw(st.integers(1, 2)),
            peer_port=3,
        )
        for _ in range(count)
    ]
    numbers = st.integers(1, 2)
    rows = [
        with_isn(row, draw(numbers), 3, exact=False) if draw(st.booleans()) else row for row in rows
    ]
    rows = [mirrored(row) if draw(st.booleans()) else row for row in rows]
    return np.concatenate([np.empty(0, ROW), *rows])


@given(few_tuples())
def test_rows_are_joined_as_by_the_rules_one_by_one(rows):
    """All rows at once, or each with each other: it is the same."""
    assert find_other_ends(rows).tolist() == expected_by_tuple(rows)


@given(few_tuples(), st.randoms())
def test_joining_does_not_depend_on_the_order(rows, random):
    """The other end of a row is the same row wherever it stands."""
    order = list(range(len(rows)))
    random.shuffle(order)
    found, shuffled = find_other_ends(rows), find_other_ends(rows[order])
    expected = [order.index(found[i]) if found[i] >= 0 else NONE for i in order]
    assert shuffled.tolist() == expected


def many_connections(seed: int, count: int, *, namespaces: int, hosts: int) -> tuple[Rows, Any]:
    """Both ends of connections within 10/8, addresses repeated in all namespaces, some over
    loopback, some with another machine; and where the other end of each is."""
    random = np.random.default_rng(seed)
    rows = np.concatenate([LOCAL] * count)
    for name, first in (("local_address", 1), ("peer_address", 101)):
        rows[name][:, 15] = random.integers(first, first + hosts, count)
    over_loopback = random.random(count) < 0.2
    rows["local_address"][over_loopback] = rows["peer_address"][over_loopback] = LOOPBACK[
        "local_address"
    ]
    rows["local_port"] = random.integers(32768, 32768 + hosts * 8, count)
    rows["netns"] = random.integers(1, namespaces + 1, count)
    isns = random.permutation(np.arange(1, 4 * count + 1))
    rows = with_isn(rows, isns[:count], isns[count : 2 * count])
    others = mirrored(rows)
    others["netns"] = np.where(
        over_loopback, rows["netns"], random.integers(1, namespaces + 1, count)
    )
    both = np.concatenate((rows, others))
    truth = np.concatenate((np.arange(count) + count, np.arange(count)))
    # Those whose other end is elsewhere have sequence numbers; of the others some do not.
    remote = np.flatnonzero(~over_loopback & (random.random(count) < 0.1))
    blind = random.random(2 * count) < 0.2
    blind[remote] = False
    both["known"][blind] &= ~np.uint16(Group.JOIN)
    both["exact"][blind] &= ~np.uint16(Group.JOIN)
    truth[remote] = NONE
    keep = np.setdiff1d(np.arange(2 * count), remote + count)
    order = random.permutation(keep)
    place = np.full(2 * count + 1, NONE)
    place[order] = np.arange(len(order))
    return both[order], place[truth[order]]


def false_joins(found: Any, truth: Any) -> int:
    """Rows that were joined with a stranger."""
    return int(((found != NONE) & (found != truth)).sum())


def without_twins(rows: Rows, truth: Any) -> tuple[Rows, Any]:
    """One namespace has a tuple only once at a time; the rest of the ends go with their rows."""
    names = ["netns", "local_address", "peer_address", "local_port", "peer_port"]
    key = np.concatenate([rows[name].reshape(len(rows), -1) for name in names], axis=1)
    first = np.zeros(len(rows), np.bool_)
    first[np.unique(key, axis=0, return_index=True)[1]] = True
    keep = first & np.where(truth == NONE, True, first[truth])
    place = np.full(len(rows) + 1, NONE)
    place[np.flatnonzero(keep)] = np.arange(keep.sum())
    return rows[keep], place[truth[keep]]


@given(st.integers(0, 1 << 32), st.integers(1, 40))
def test_no_stranger_is_joined(seed, count):
    """However many namespaces use the same few addresses and ports."""
    rows, truth = without_twins(*many_connections(seed, count, namespaces=3, hosts=1))
    assert false_joins(find_other_ends(rows), truth) == 0


def test_no_stranger_is_joined_among_100000():
    """And all that know their sequence numbers find each other."""
    rows, truth = without_twins(*many_connections(1, 60_000, namespaces=2000, hosts=50))
    assert len(rows) > 100_000
    found = find_other_ends(rows)
    assert false_joins(found, truth) == 0
    both_know = (rows["known"] & rows["known"][truth] & Group.JOIN > 0) & (truth != NONE)
    assert (found == truth)[both_know].all()
    assert (found == truth).mean() > 0.9
