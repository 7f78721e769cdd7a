"""Thinning for display, with the rules applied to one group after the other as the judge."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.row.columns import ROW, Rows
from connscope.row.words import Protocol, Role
from connscope.table.thinning import Thinned, Thresholds, thin
from tests.unit.sample_rows import one_row

PORTS = st.sets(st.integers(0, 65535), max_size=60)


def from_ports(ports: Any, **columns: Any) -> Rows:
    """Connections of one client to port 80 of one server, from these ports."""
    row = one_row(
        local_address="10.0.0.1",
        peer_address="10.0.0.2",
        peer_port=80,
        protocol=Protocol.TCP,
        role=Role.CLIENT,
        netns=1,
        pid=7,
    )
    rows = np.concatenate([np.empty(0, ROW), *[row] * len(ports)])
    rows["local_port"] = list(ports)
    for name, value in columns.items():
        rows[name] = value
    return rows


def seen_by_server(rows: Rows) -> Rows:
    """The same connections on the machine of the server."""
    other = rows.copy()
    for local, peer in (("local_address", "peer_address"), ("local_port", "peer_port")):
        other[local], other[peer] = rows[peer], rows[local]
    other["role"], other["netns"], other["pid"] = Role.SERVER, 99, 8
    return other


def alone(rows: Rows) -> Any:
    """No row has its other end here."""
    return np.full(len(rows), -1)


def thinned(rows: Rows, **thresholds: int) -> Thinned:
    """By the roles of the rows."""
    return thin(rows, rows["role"], alone(rows), Thresholds(**thresholds))


def kept_ports(rows: Rows) -> list[int]:
    """The ports of the client that are shown."""
    name = "local_port" if rows["role"][0] == Role.CLIENT else "peer_port"
    return sorted(int(port) for port in rows[name][thinned(rows).kept])


@pytest.mark.parametrize(
    ("ports", "shown"),
    [
        ([], {}),
        ([1, 2, 4, 5, 7], {1: 1, 2: 1, 4: 1, 5: 1, 7: 1}),
        ([1, 2, 3, 4, 5, 6, 7], {1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1}),
        ([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], {3: 3, 6: 3, 9: 4}),
        (range(1, 19), {3: 3, 6: 3, 9: 3, 12: 3, 15: 3, 18: 3}),
        (range(1, 28), {9: 9, 18: 9, 27: 9}),
        (range(9, 90), {27: 19, 54: 27, 81: 35}),
    ],
    ids=["none", "five", "back to all", "multiples of 3", "back to 3", "of 9", "of 27"],
)
def test_group_is_thinned_by_powers_of_three(ports: Any, shown: dict[int, int]):
    """More than five are thinned, but never to fewer than three; each stands for those before it,
    the last one also for those behind."""
    rows = from_ports(ports)
    result = thinned(rows)
    counts = zip(rows["local_port"].tolist(), result.counts.tolist(), strict=True)
    assert {port: count for port, count in counts if count} == shown
    assert (result.kept == (result.counts > 0)).all()


def test_group_of_several_processes_is_kept_whole():
    """Which process talks to whom would be lost."""
    rows = from_ports(range(1, 28))
    rows["pid"][13] = 8
    assert thinned(rows).kept.all()


@pytest.mark.parametrize("name", ["netns", "peer_port", "protocol", "local_address"])
def test_groups_are_thinned_apart(name: str):
    """Each connection of another kind is shown, however many there are of this one."""
    rows = np.concatenate((from_ports(range(1, 28)), from_ports([1])))
    rows[name][-1] = 17
    result = thinned(rows)
    assert (result.kept.sum(), result.counts[-1]) == (4, 1)


def test_thresholds_are_arguments():
    """Most, base and least."""
    rows = from_ports(range(1, 17))
    assert thinned(rows, most=2, base=4, least=1).counts.tolist() == [0] * 15 + [16]


@pytest.mark.parametrize("thresholds", [{"least": 0}, {"base": 1}])
def test_thresholds_that_leave_nothing_are_refused(thresholds: dict[str, int]):
    """The sum of the counts could not be right."""
    with pytest.raises(ValueError, match="at least 1 row"):
        thinned(from_ports([1]), **thresholds)


def test_unknown_role_takes_the_lower_port_for_the_server():
    """Both ends come to the same answer."""
    rows = from_ports(range(40001, 40028))
    there = seen_by_server(rows)
    rows["role"] = there["role"] = Role.UNKNOWN
    assert thinned(rows).kept.tolist() == thinned(there).kept.tolist()
    assert thinned(rows).kept.sum() == 3


def test_local_connection_is_one():
    """The client's row stands for both, and both processes count."""
    rows = from_ports(range(1, 28))
    both = np.concatenate((seen_by_server(rows), rows))
    other_ends = (np.arange(54) + 27) % 54
    result = thin(both, both["role"], other_ends)
    assert result.counts.tolist() == [0] * 27 + thinned(rows).counts.tolist()
    both["pid"][3] += 1
    assert thin(both, both["role"], other_ends).kept.tolist() == [False] * 27 + [True] * 27


def test_local_connection_of_unknown_roles_is_one():
    """The first row stands for both where nobody can tell the client."""
    rows = from_ports([80])
    both = np.concatenate((rows, rows))
    both["role"] = Role.UNKNOWN
    assert thin(both, both["role"], np.array([1, 0])).counts.tolist() == [1, 0]


def test_socket_connected_to_itself_is_shown():
    """It is its own other end."""
    rows = from_ports([80])
    assert thin(rows, rows["role"], np.array([0])).counts.tolist() == [1]


def expected_kept(rows: Rows) -> list[bool]:
    """The rules, group by group and port by port."""
    groups = defaultdict[Any, list[int]](list)
    for i, row in enumerate(rows):
        key = row["netns"], row["peer_port"], row["protocol"], bytes(row["local_address"])
        groups[key].append(i)
    kept = [True] * len(rows)
    for members in groups.values():
        modulus = modulus_of(
            [int(rows["local_port"][i]) for i in members], {rows["pid"][i] for i in members}
        )
        for i in members:
            kept[i] = rows["local_port"][i] % modulus == 0
    return kept


def modulus_of(ports: list[int], pids: set[int]) -> int:
    """What a port has to be a multiple of."""
    modulus, count = 1, len(ports)
    while len(pids) == 1 and count > 5 and modulus < 3**10:
        fewer = sum(port % (modulus * 3) == 0 for port in ports)
        if fewer < 3:
            break
        modulus, count = modulus * 3, fewer
    return modulus


@st.composite
def some_groups(draw: st.DrawFn) -> Rows:
    """Connections of a few groups, mixed."""
    sizes = draw(st.lists(st.integers(0, 60), max_size=5))
    random = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    rows = from_ports(random.integers(0, draw(st.sampled_from((100, 65536))), sum(sizes)))
    rows["netns"] = np.repeat(np.arange(len(sizes)), sizes)
    rows["pid"] += np.repeat(np.arange(len(sizes)) == 3, sizes) * np.arange(
        sum(sizes), dtype=np.uint32
    )
    random.shuffle(rows)
    return rows


@given(some_groups())
def test_what_is_kept_is_what_the_rules_keep(rows):
    """All groups at once, or one after the other: it is the same."""
    assert thinned(rows).kept.tolist() == expected_kept(rows)


@given(some_groups())
def test_counts_sum_up_to_the_connections_of_each_group(rows):
    """Nothing that is not shown is forgotten."""
    result = thinned(rows)
    sums = np.bincount(rows["netns"], result.counts)
    assert sums.tolist() == np.bincount(rows["netns"]).tolist()
    assert (result.kept == (result.counts > 0)).all()


@given(PORTS, st.randoms())
def test_what_is_shown_does_not_depend_on_the_order(ports, random):
    """The port alone decides."""
    shuffled = list(ports)
    random.shuffle(shuffled)
    one, other = from_ports(list(ports)), from_ports(shuffled)
    expected = dict(zip(one["local_port"].tolist(), thinned(one).counts.tolist(), strict=True))
    assert expected == dict(
        zip(other["local_port"].tolist(), thinned(other).counts.tolist(), strict=True)
    )


@given(PORTS.filter(bool))
def test_both_ends_show_the_same_connections(ports):
    """The machine of the client and that of the server know nothing of each other."""
    rows = from_ports(ports)
    assert kept_ports(rows) == kept_ports(seen_by_server(rows))


@given(PORTS.filter(bool), PORTS.filter(bool), PORTS.filter(bool))
def test_ends_that_saw_different_ones_show_overlapping_ones(common, mine, theirs):
    """Of what both saw, one shows all that the other one shows."""
    here, there = from_ports(common | mine), seen_by_server(from_ports(common | theirs))
    shown_here, shown_there = (
        set(kept_ports(rows)) & (common | (mine & theirs)) for rows in (here, there)
    )
    assert shown_here <= shown_there or shown_there <= shown_here
