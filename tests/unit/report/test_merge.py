from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from connscope.report.merge import merge, picture_of
from connscope.report.report import make_report
from tests.unit.report.reports import A_NAME, a_look, any_names, table_of

IDS = st.integers(1, 4)
TABLES = st.dictionaries(IDS, st.integers(0, 2), max_size=4)
HOSTS = st.sampled_from(("h1", "h2"))
BOOTS = st.sampled_from(("b1", "b2"))


@st.composite
def pictures(draw: st.DrawFn):
    """Of one report or of two, few hosts and few times: everything collides."""
    merged: Any = {}
    for _ in range(draw(st.integers(1, 2))):
        look = a_look(
            draw(st.integers(1, 4)), host_id=draw(HOSTS), boot_id=draw(BOOTS), tier=draw(IDS)
        )
        base = draw(st.sampled_from((None, 0)))
        gone = draw(st.lists(IDS, max_size=3)) if base is not None else []
        ended = table_of(draw(TABLES), time_ns=draw(st.integers(0, 3)))
        report = make_report(
            look,
            1,
            base,
            table_of(draw(TABLES)),
            ended,
            np.array(gone, np.uint64),
            draw(any_names()),
        )
        merged = merge(merged, picture_of(report))
    return merged


def content(merged: Any):
    """All that merged reports say, to be compared."""
    return {
        key: (
            *(picture.look, picture.full_ns, dict(picture.names)),
            *(part.tobytes() for part in (picture.open, picture.gone, picture.ended)),
        )
        for key, picture in merged.items()
    }


def seen(*reports):
    """Ids and counters of the open rows of one host, after a merge from the left."""
    merged: Any = {}
    for report in reports:
        merged = merge(merged, picture_of(report))
    (picture,) = merged.values()
    return dict(zip(picture.open["connection_id"], picture.open["bytes_sent"], strict=True))


@given(pictures(), pictures(), pictures())
def test_merge_is_associative(one, two, three):
    """It makes no difference what is merged first."""
    left, right = merge(merge(one, two), three), merge(one, merge(two, three))
    assert content(left) == content(right)


@given(pictures(), pictures())
def test_merge_is_commutative(one, two):
    """It makes no difference which is first."""
    assert content(merge(one, two)) == content(merge(two, one))


@given(pictures(), pictures())
def test_merge_is_idempotent(one, two):
    """What is merged already changes nothing."""
    both = merge(one, two)
    assert content(merge(both, one)) == content(both)
    assert content(merge(both, both)) == content(both)


def test_hosts_stay_apart():
    """The same id on two hosts, or in two boots, names two connections."""
    reports = [
        make_report(a_look(host_id=host, boot_id=boot), 0, None, table_of({1: 0}))
        for host, boot in (("h1", "b1"), ("h2", "b1"), ("h1", "b2"))
    ]
    merged: Any = {}
    for report in reports:
        merged = merge(merged, picture_of(report))
    assert sorted(merged) == [("h1", "b1"), ("h1", "b2"), ("h2", "b1")]


def test_later_look_wins():
    """Of two rows of one connection the one that was seen later stays."""
    early = make_report(a_look(1), 1, 0, table_of({1: 10}))
    late = make_report(a_look(2), 2, 1, table_of({1: 20}))
    assert seen(late, early) == {1: 20}


def test_ended_wins_over_open():
    """A connection that closed is not open, though a later look says so."""
    closed = make_report(a_look(1), 1, 0, table_of({}), table_of({1: 0}))
    still = make_report(a_look(2), 1, 0, table_of({1: 0, 2: 0}))
    assert seen(closed, still) == {2: 0}


def test_gone_wins_over_earlier_row():
    """What a later look missed is not open."""
    early = make_report(a_look(1), 0, None, table_of({1: 0, 2: 0}))
    late = make_report(a_look(2), 1, 0, table_of({}), gone=np.array([1], np.uint64))
    assert seen(late, early) == {2: 0}


def test_full_report_ends_what_it_does_not_tell():
    """A row that was told before it and not in it is gone."""
    early = make_report(a_look(1), 1, 0, table_of({1: 0}))
    late = make_report(a_look(2), 2, None, table_of({2: 0}))
    assert seen(late, early) == {2: 0}


def test_names_of_both_are_known():
    """What either side told of a process stays."""
    one = make_report(a_look(1), 1, 0, table_of({}), names=[A_NAME])
    other = make_report(a_look(2), 1, 0, table_of({}), names=[A_NAME._replace(what="unit")])
    (picture,) = merge(picture_of(one), picture_of(other)).values()
    assert sorted(key[2] for key in picture.names) == ["executable", "unit"]
