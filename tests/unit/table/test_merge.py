"""Two rows of one connection as one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.row.columns import COLUMNS_OF, ROW, Rows
from connscope.row.words import Group, Kind, State, Tier
from connscope.table.merge import COMPARED, COUNTERS, FACTS, merge_rows, need_merge
from tests.unit.sample_rows import sensible_rows
from tests.unit.table.rows import ALL, connection

NEWS = (Group.TRAFFIC, Group.QUALITY)
SINGLE = {"connection_id", "state", *COUNTERS}
"""Columns that have rules of their own, whatever their group."""

ZERO_IS_NOTHING = (
    *("socket_id", "subflow_of", "socket_inode", "role", "opened_ns", "closed_ns"),
    *("connect_us", "min_rtt_us", "rtt_us", "rtt_var_us"),
)


def columns_of(rows: Rows, group: Group) -> dict[str, Any]:
    """What the rows say of a group, but for the columns that have rules of their own."""
    return {name: rows[name].tolist() for name in COLUMNS_OF[group] if name not in SINGLE}


def filled(seed: int, **columns) -> Rows:
    """A row in which no column is zero; all is known and exact unless it is said."""
    rows = np.frombuffer(np.random.default_rng(seed).integers(1, 99, 224, np.uint8).tobytes(), ROW)
    rows = rows.copy()
    rows["kind"], rows["known"], rows["exact"] = Kind.SNAPSHOT, ALL, ALL
    for name, value in columns.items():
        rows[name] = value
    return rows


@st.composite
def two_rows(draw: st.DrawFn) -> tuple[Rows, Rows]:
    """As many old ones as new ones; unknown groups are empty, as tiers leave them."""
    both = [draw(sensible_rows()) for _ in range(2)]
    count = min(map(len, both))
    for rows in both:
        for group in Group:
            for name in COLUMNS_OF[group]:
                rows[name][rows["known"] & group == 0] = np.zeros(1, ROW)[name][0]
    return both[0][:count], both[1][:count]


@given(two_rows())
def test_counters_never_fall(rows):
    """They are the larger of both, where both know them or one does."""
    merged = merge_rows(*rows)
    for name in COUNTERS:
        assert (merged[name] == np.maximum(rows[0][name], rows[1][name])).all()


@given(two_rows())
def test_counter_that_would_have_fallen_is_no_proof(rows):
    """It was shown once, so it stays; but the traffic is not exact any more."""
    old, new = rows
    both = old["known"] & new["known"] & Group.TRAFFIC != 0
    fell = both & np.any([new[name] < old[name] for name in COUNTERS], axis=0)
    assert not (merge_rows(old, new)["exact"][fell] & Group.TRAFFIC).any()


@given(two_rows())
def test_what_one_of_them_knows_is_known(rows):
    """Nothing is forgotten."""
    assert (merge_rows(*rows)["known"] == rows[0]["known"] | rows[1]["known"]).all()


@given(two_rows())
def test_both_rows_stay_as_they_are(rows):
    """They are copied."""
    before = [each.tobytes() for each in rows]
    merge_rows(*rows)
    assert [each.tobytes() for each in rows] == before


@given(two_rows())
def test_order_does_not_matter_where_one_of_them_knows_more(rows):
    """The richer one wins each group, whether it is old or new."""
    one, other = rows
    there, back = merge_rows(one, other), merge_rows(other, one)
    for group in Group:
        richer = (one["known"] & group != 0) != (other["known"] & group != 0)
        assert columns_of(there[richer], group) == columns_of(back[richer], group)


@given(two_rows())
def test_order_of_equals_does_not_matter_for_what_only_grows(rows):
    """Counters and what is known are the same either way."""
    there, back = merge_rows(*rows), merge_rows(*rows[::-1])
    for name in (*COUNTERS, "known"):
        assert there[name].tolist() == back[name].tolist()


@given(two_rows())
def test_row_merged_with_itself_is_itself(rows):
    """Who says the same twice says nothing new."""
    assert merge_rows(rows[0], rows[0]).tobytes() == rows[0].tobytes()


@given(two_rows())
def test_connection_keeps_the_id_that_it_was_given_first(rows):
    """What happened and when is the new row's."""
    merged = merge_rows(*rows)
    assert merged["connection_id"].tolist() == rows[0]["connection_id"].tolist()
    for name in ("kind", "time_ns", "tier", "lost"):
        assert merged[name].tolist() == rows[1][name].tolist()


@pytest.mark.parametrize("group", Group)
def test_what_the_new_one_does_not_know_is_the_old_ones(group: Group):
    """With its exactness."""
    old, new = filled(1), filled(2, known=ALL & ~group, exact=ALL & ~group)
    merged = merge_rows(old, new)
    assert columns_of(merged, group) == columns_of(old, group)
    assert (merged["known"][0], merged["exact"][0] & ~Group.TRAFFIC) == (ALL, ALL & ~Group.TRAFFIC)


@pytest.mark.parametrize("group", Group)
def test_of_equals_the_new_one_wins(group: Group):
    """It is news."""
    old, new = filled(1), filled(2)
    assert columns_of(merge_rows(old, new), group) == columns_of(new, group)


@pytest.mark.parametrize("group", FACTS)
def test_exactness_outweighs_news_for_facts(group: Group):
    """A guess does not replace a proof."""
    old, new = filled(1), filled(2, exact=ALL & ~group)
    merged = merge_rows(old, new)
    assert columns_of(merged, group) == columns_of(old, group)
    assert merged["exact"][0] & group


@pytest.mark.parametrize("group", FACTS)
def test_proof_replaces_a_guess(group: Group):
    """Once it comes."""
    old, new = filled(1, exact=0), filled(2)
    merged = merge_rows(old, new)
    assert columns_of(merged, group) == columns_of(new, group)
    assert merged["exact"][0] & group


@pytest.mark.parametrize("group", NEWS)
def test_news_outweigh_exactness_for_what_changes_all_the_time(group: Group):
    """An exact counter of yesterday is worth nothing today."""
    old = filled(1)
    new = filled(2, exact=ALL & ~group, **dict.fromkeys(COUNTERS[2:], (1 << 32) - 1))
    new["bytes_sent"] = new["bytes_received"] = (1 << 64) - 1
    merged = merge_rows(old, new)
    assert columns_of(merged, group) == columns_of(new, group)
    assert not merged["exact"][0] & group


@pytest.mark.parametrize("name", ZERO_IS_NOTHING)
def test_zero_says_nothing_there(name: str):
    """Even if the row claims to know its group, and all the better."""
    old, new = filled(1), filled(2, **{name: 0})
    assert merge_rows(old, new)[name] == old[name]
    assert merge_rows(new, old)[name] == old[name]


def test_state_is_news_even_where_the_old_ends_are_proven():
    """It is the only one of the ends that changes."""
    old = connection(1, state=State.ESTABLISHED)
    new = connection(1, state=State.CLOSE_WAIT, exact=0)
    assert merge_rows(old, new)["state"] == State.CLOSE_WAIT


def test_state_stays_where_the_new_one_knows_no_ends():
    """Zero is no state."""
    old, new = connection(1), connection(1, state=0, known=0, exact=0)
    assert merge_rows(old, new)["state"] == State.ESTABLISHED


@given(two_rows())
def test_new_row_may_replace_the_old_one_where_no_merge_is_needed(rows):
    """Nothing that the old one proves, knows or has counted is lost by it."""
    old, new = rows
    new["tier"] = old["tier"]
    replaces = ~need_merge({name: old[name] for name in COMPARED}, new)
    merged, new = merge_rows(old, new)[replaces], new[replaces]
    for name in (
        *COUNTERS,
        "known",
        "exact",
        "state",
        "opened_ns",
        "socket_inode",
        "pid",
        "comm",
        "isn_local",
    ):
        assert merged[name].tolist() == new[name].tolist()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({}, {"tier": Tier.NETLINK}),
        ({}, {"known": ALL & ~Group.QUALITY}),
        ({}, {"exact": ALL & ~Group.OWNER}),
        ({"opened_ns": 5}, {"opened_ns": 0}),
        ({"socket_inode": 5}, {"socket_inode": 0}),
        ({"bytes_sent": 5}, {"bytes_sent": 4}),
        ({"retransmits": 5}, {"retransmits": 4}),
    ],
)
def test_merge_is_needed_where_the_old_one_has_more(old, new):
    """And not the other way round, but for the tier: another one sees other things."""
    rows = connection(1, **old), connection(1, **new)
    for first, second, needed in ((*rows, True), (*rows[::-1], "tier" in new)):
        assert need_merge({name: first[name] for name in COMPARED}, second).tolist() == [needed]


def test_traffic_that_is_less_exact_needs_no_merge():
    """News are worth more there."""
    old, new = connection(1), connection(1, exact=ALL & ~(Group.TRAFFIC | Group.QUALITY))
    assert not need_merge({name: old[name] for name in COMPARED}, new).any()
