from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from connscope.report.decode import decode
from connscope.report.delta import Deltas
from connscope.report.encode import encode
from connscope.report.view import Applied, View
from connscope.row.columns import ROW
from tests.unit.report.reports import A_NAME, a_look, table_of

SECOND = 10**9
NOTHING = np.empty(0, ROW)
IDS = st.integers(1, 6) | st.sampled_from((1 << 48 | 1, 1 << 48 | 7))
TABLES = st.dictionaries(IDS, st.integers(0, 2), max_size=6)


@dataclass
class Fate:
    """What happens to one report on its way."""

    table: dict[int, int]
    ended: list[int]
    copies: int
    early: bool


FATES = st.builds(
    Fate, TABLES, st.lists(IDS, max_size=2, unique=True), st.integers(0, 2), st.booleans()
)


def sent(deltas: Deltas, number: int, fate: Fate):
    """The report of one look, as it arrives."""
    rows = table_of(fate.table, time_ns=number)
    ended = table_of(dict.fromkeys(fate.ended, 9))
    return decode(encode(deltas.next(a_look(number * SECOND), rows, ended)))


@given(st.lists(FATES, max_size=10), st.integers(1, 4))
def test_table_of_the_receiver_is_that_of_the_sender(fates, full_every):
    """Reports that are lost, repeated or late never make another table: each one applied gives
    the sender's of that look, and after a gap a full one was asked for."""
    deltas, view, tables, late = Deltas(full_every), View(), {}, []
    for number, fate in enumerate(fates, start=1):
        report = sent(deltas, number, fate)
        tables[number * SECOND] = deltas.table.copy()
        if fate.copies and not fate.early:
            late.append(report)
        arriving = [report] * fate.copies if fate.early else []
        for each in [*arriving, *(late if number % 3 == 0 else ())]:
            if view.apply(each) is Applied.GAP:
                deltas.want_full()
            assert view.look is None or (view.open.tobytes() == tables[view.look.time_ns].tobytes())


@given(st.lists(TABLES, min_size=1, max_size=8))
def test_full_and_deltas_make_the_table(tables):
    """With nothing lost the receiver has the rows of every look."""
    deltas, view = Deltas(full_every=4), View()
    for number, table in enumerate(tables, start=1):
        report = deltas.next(a_look(number), table_of(table), NOTHING)
        assert view.apply(decode(encode(report))) is Applied.APPLIED
        counters = zip(view.open["connection_id"], view.open["bytes_sent"], strict=True)
        assert dict(counters) == table


def test_every_30th_report_is_full():
    """29 deltas lie between two."""
    deltas = Deltas()
    full = [deltas.next(a_look(), NOTHING, NOTHING).full for _ in range(61)]
    assert [number for number, is_full in enumerate(full) if is_full] == [0, 30, 60]


def test_full_report_can_be_asked_for():
    """The next report after the wish is full, the one after that is not."""
    deltas = Deltas()
    deltas.next(a_look(), NOTHING, NOTHING)
    deltas.want_full()
    assert [deltas.next(a_look(), NOTHING, NOTHING).full for _ in range(2)] == [True, False]


def test_delta_has_what_changed():
    """A row with another counter and a new one are told, one that is the same is not."""
    deltas = Deltas()
    deltas.next(a_look(1), table_of({1: 0, 2: 0}), NOTHING)
    report = deltas.next(a_look(2), table_of({1: 0, 2: 5, 3: 0}), NOTHING)
    assert report.open["connection_id"].tolist() == [2, 3]


def test_time_alone_is_no_change():
    """Every look has another time in every row."""
    deltas = Deltas()
    deltas.next(a_look(1), table_of({1: 0}, time_ns=1), NOTHING)
    assert not len(deltas.next(a_look(2), table_of({1: 0}, time_ns=2), NOTHING).open)


def test_what_vanished_is_gone():
    """An id that no row of the look has and no event ended is told."""
    deltas = Deltas()
    deltas.next(a_look(1), table_of({1: 0, 2: 0, 3: 0}), NOTHING)
    report = deltas.next(a_look(2), table_of({1: 0}), table_of({3: 0}))
    assert report.gone.tolist() == [2]


def test_names_are_told_once():
    """A name that was told is told again in full reports only."""
    deltas, rows = Deltas(full_every=3), table_of({1: 0}, pid=7, process_start_ns=700)
    told = [deltas.next(a_look(), rows, NOTHING, [A_NAME]).names for _ in range(4)]
    assert told == [(A_NAME,), (), (), (A_NAME,)]


def test_names_of_nobody_are_forgotten():
    """A full report has no names of processes without a row."""
    deltas = Deltas(full_every=1)
    deltas.next(a_look(), table_of({1: 0}, pid=7, process_start_ns=700), NOTHING, [A_NAME])
    assert deltas.next(a_look(), table_of({1: 0}, pid=8), NOTHING).names == ()
