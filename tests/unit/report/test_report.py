from __future__ import annotations

import numpy as np

from connscope.report.report import make_report
from connscope.row.words import State
from tests.unit.report.reports import a_look, table_of

COOKIE_2_TAG_9 = 9 << 48 | 2


def test_open_rows_have_the_time_of_the_look():
    """A look is one moment, however long it took."""
    report = make_report(a_look(77), 0, None, table_of({1: 0, 2: 0}, time_ns=70))
    assert report.open["time_ns"].tolist() == [77, 77]


def test_rows_are_in_the_order_of_their_cookies():
    """The tag in the upper bits of an id does not count first."""
    report = make_report(a_look(), 0, None, table_of({3: 0, COOKIE_2_TAG_9: 0, 1: 0}))
    assert report.open["connection_id"].tolist() == [1, COOKIE_2_TAG_9, 3]


def test_last_row_of_an_id_stays():
    """What is told twice is told once."""
    rows = np.concatenate((table_of({1: 10}), table_of({1: 20})))
    assert make_report(a_look(), 0, None, rows).open["bytes_sent"].tolist() == [20]


def test_what_ended_is_not_open():
    """An event after the look wins over it."""
    report = make_report(a_look(), 0, None, table_of({1: 0, 2: 0}), table_of({2: 0}))
    assert report.open["connection_id"].tolist() == [1]


def test_what_ended_is_not_told_to_be_gone():
    """Its row says so."""
    gone = np.array([1, 2], np.uint64)
    report = make_report(a_look(), 1, 0, table_of({}), table_of({2: 0}), gone)
    assert report.gone.tolist() == [1]


def test_listeners_are_told_apart():
    """Sockets that listen are listeners, the others connections."""
    rows = table_of({1: 0, 2: 0}, state=[State.LISTEN, State.ESTABLISHED])
    report = make_report(a_look(), 0, None, rows)
    ids = [part["connection_id"].tolist() for part in (report.listeners, report.connections)]
    assert ids == [[1], [2]]
