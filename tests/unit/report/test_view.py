from __future__ import annotations

import numpy as np
import pytest

from connscope.errors import ReportError
from connscope.report.delta import Deltas
from connscope.report.report import make_report
from connscope.report.view import Applied, View
from connscope.row.columns import ROW
from tests.unit.report.reports import A_NAME, a_look, table_of

NOTHING = np.empty(0, ROW)


def full(sequence: int, **changes):
    """A full report of one row."""
    return make_report(a_look(**changes), sequence, None, table_of({1: 0}))


def test_delta_without_its_full_report_is_a_gap():
    """The receiver came later than the sender."""
    deltas = Deltas()
    deltas.next(a_look(), NOTHING, NOTHING)
    assert View().apply(deltas.next(a_look(), NOTHING, NOTHING)) is Applied.GAP


def test_same_report_twice_does_nothing():
    """The second is a repetition."""
    view = View()
    assert [view.apply(full(0)) for _ in range(2)] == [Applied.APPLIED, Applied.REPEATED]


def test_late_report_does_nothing():
    """A report that was overtaken is stale."""
    view = View()
    view.apply(full(3))
    assert view.apply(full(2)) is Applied.STALE


def test_new_boot_begins_anew():
    """Its first full report is applied though its sequence is lower."""
    view = View()
    view.apply(full(5, boot_id="b0"))
    assert view.apply(full(0, boot_id="b1")) is Applied.APPLIED


def test_boot_that_is_over_is_stale():
    """A late report of it does not bring its sockets back."""
    view = View()
    for boot_id in ("b0", "b1"):
        view.apply(full(5, boot_id=boot_id))
    assert view.apply(full(6, boot_id="b0")) is Applied.STALE


def test_new_session_begins_anew():
    """An agent that was started again counts from 0, and nothing was missed."""
    view = View()
    view.apply(full(5, session_ns=1))
    assert (view.apply(full(0, session_ns=2)), view.missed) == (Applied.APPLIED, 0)


def test_delta_of_another_session_is_a_gap():
    """Its base is not ours, though the numbers fit."""
    view = View()
    view.apply(full(0, session_ns=1))
    delta = make_report(a_look(session_ns=2), 1, 0, NOTHING)
    assert view.apply(delta) is Applied.GAP


def delta(sequence: int, **changes):
    """A delta in which a row ended."""
    return make_report(a_look(**changes), sequence, sequence - 1, NOTHING, table_of({2: 0}))


def test_gap_that_comes_again_is_told_apart():
    """Its sender did not hear the answer; what ended is not new."""
    view = View()
    applied = [view.apply(delta(each)) for each in (4, 4, 5, 4)]
    again = Applied.GAP_AGAIN
    assert applied == [Applied.GAP, again, Applied.GAP, again]


def test_gap_of_another_session_is_another():
    """It counts from 0."""
    view = View()
    assert [view.apply(delta(4, session_ns=each)) for each in (1, 2)] == [Applied.GAP] * 2


def test_reports_after_a_gap_are_not_missed():
    """They came; one that they build on did not."""
    view = View()
    view.apply(full(0))
    for sequence in (3, 4):
        view.apply(delta(sequence))
    view.apply(full(5))
    assert view.missed == 2


def test_missed_reports_are_counted():
    """A full report after a gap says how many did not come."""
    view = View()
    for sequence in (0, 4):
        view.apply(full(sequence))
    assert view.missed == 3


def test_report_of_another_host_is_refused():
    """A view is of one host."""
    view = View()
    view.apply(full(0))
    with pytest.raises(ReportError, match="'other'"):
        view.apply(full(1, host_id="other"))


def test_view_knows_names():
    """What was told of a process is found by it."""
    view = View()
    view.apply(make_report(a_look(), 0, None, NOTHING, names=[A_NAME]))
    assert view.names == {(7, 700): {"executable": "/usr/bin/nginx"}}
