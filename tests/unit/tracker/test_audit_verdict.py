"""The verdict on one namespace."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.tracker.audit_edges import BEGIN, counters, edge, seen

from connscope.tracker.audit_verdict import Cause, Circumstances, Verdict, judge


def verdict(
    told: dict[str, int], counted: dict[str, int], most: dict[str, int] | None = None, **more: Any
) -> Verdict:
    """On a window of 2 s that began with 5 connects seen and 100 counted."""
    circumstances = more.pop("circumstances", Circumstances())
    base = {"ActiveOpens": 100, "ListenDrops": 7}
    ends = [
        counters(**{name: base.get(name, 0) + each.get(name, 0) for name in (*base, *each)})
        for each in (counted, counted if most is None else most)
    ]
    whole = seen(**{"active": 5, **{k: v + 5 * (k == "active") for k, v in told.items()}})
    return judge(9, BEGIN, edge(12.0, whole, *ends, **more), circumstances)


def gaps(found: Verdict) -> list[tuple[str, str, int]]:
    """As plain tuples."""
    return [(gap.counter, gap.cause, gap.missing) for gap in found.gaps]


def test_equal_numbers_agree():
    """Only what happened within the window counts, on both sides."""
    found = verdict({"active": 7, "passive": 3}, {"ActiveOpens": 7, "PassiveOpens": 3})
    assert (found.saw, found.counted, found.window_s) == (10, (10, 10), 2.0)
    assert (found.agrees, found.gaps) == (True, ())
    assert [each.ratio for each in found.comparisons] == [1.0, 1.0, None, None, None]


def test_notes_are_counters_that_moved():
    """What no row tells is told as the kernel does."""
    found = verdict({}, {"ListenDrops": 2, "ListenOverflows": 0})
    assert found.notes == {"TcpExtListenDrops": 2}


def test_less_than_counted_has_a_ratio_and_no_cause():
    """As long as nothing happened that could explain it."""
    found = verdict({"active": 6}, {"ActiveOpens": 8})
    assert found.comparisons[0].ratio == 0.75
    assert gaps(found) == [("ActiveOpens", Cause.UNEXPLAINED, 2)]
    assert not found.agrees


def test_more_than_counted_is_a_surplus():
    """Which is no gap, and does not agree."""
    found = verdict({"active": 9}, {"ActiveOpens": 8})
    assert found.comparisons[0].surplus == 1
    assert (found.agrees, found.gaps) == (False, ())


@pytest.mark.parametrize("name", ["AttemptFails", "RetransSegs"])
def test_lower_bound_misses_nothing(name: str):
    """The kernel counts more than sockets; less is a mistake."""
    told = {"AttemptFails": "fails", "RetransSegs": "retransmits"}[name]
    above, below = verdict({told: 2}, {name: 9}), verdict({told: 2}, {name: 1})
    assert (above.agrees, above.gaps) == (True, ())
    assert not below.agrees


def test_span_is_no_ratio():
    """While the kernel counts on, nothing is said that is not certain."""
    found = verdict({"active": 8}, {"ActiveOpens": 7}, {"ActiveOpens": 9})
    assert (found.counted, found.agrees) == ((7, 9), True)
    assert found.comparisons[0].ratio is None


def test_gap_of_a_span_is_what_is_certain():
    """No more than the lower end."""
    assert gaps(verdict({"active": 6}, {"ActiveOpens": 7}, {"ActiveOpens": 99})) == [
        ("ActiveOpens", Cause.UNEXPLAINED, 1)
    ]


def test_causes_share_a_gap_in_order():
    """Connects under way first, then as many rows as were lost; the rest has no cause."""
    found = verdict(
        {}, {"ActiveOpens": 10}, under_way=(2, 0), circumstances=Circumstances(lost_rows=5)
    )
    assert gaps(found) == [
        ("ActiveOpens", Cause.UNDER_WAY, 2),
        ("ActiveOpens", Cause.RING_LOSS, 5),
        ("ActiveOpens", Cause.UNEXPLAINED, 3),
    ]


@pytest.mark.parametrize(
    ("circumstances", "cause"),
    [
        (Circumstances(forgotten_sockets=1), Cause.NO_MEMORY),
        (Circumstances(tiers=2), Cause.TIER_CHANGE),
    ],
)
def test_what_may_have_hidden_any_number_explains_all(circumstances: Circumstances, cause: Cause):
    """One socket that was not remembered has many events, another tier tells none."""
    found = verdict({}, {"PassiveOpens": 10}, circumstances=circumstances)
    assert gaps(found) == [("PassiveOpens", cause, 10)]


NUMBERS = st.integers(0, 50)


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_gaps_add_up_to_what_is_missing(
    told: int, counted: int, more: int, under_way: int, lost: int
):
    """Nothing is explained twice, and nothing is left out."""
    found = verdict(
        {"active": told},
        {"ActiveOpens": counted},
        {"ActiveOpens": counted + more},
        under_way=(under_way, 0),
        circumstances=Circumstances(lost_rows=lost),
    )
    assert sum(gap.missing for gap in found.gaps) == max(0, counted - told)
    assert found.agrees == (counted <= told <= counted + more)
