"""The live window: slots, counters, what is forgotten."""

from __future__ import annotations

import numpy as np

from connscope.report.report import Report
from connscope.server.host import Host
from connscope.server.rate import Rates
from connscope.server.window import Window
from tests.unit.server.reports import NOW_NS, SECOND_NS, Machine, client, closed


def window_of(*steps: tuple[float, Report]) -> Window:
    """A window after some reports of a host."""
    window, host = Window(15), Host(0, "alpha")
    for at_s, report in steps:
        host.time_ns = NOW_NS
        window.apply(host, report, at_s)
    return window


def moved(window: Window, at_s: float, seconds: int = 15) -> float:
    """Bytes sent in the last seconds."""
    return float(window.recent(at_s, seconds).amounts[:, 0].sum())


def test_slots_are_used_again_after_the_window():
    """Not before: the window still speaks of them."""
    window, host, machine = Window(15), Host(0, "alpha"), Machine()
    window.apply(host, machine.report(client(1)), 100.0)
    window.apply(host, machine.report(ended=[closed(client(1))]), 101.0)
    window.apply(host, machine.report(client(2)), 110.0)
    assert window.used == 2
    window.expire(117.0)
    assert window.used == 1
    capacity = window.capacity
    window.apply(host, machine.report(*(client(n) for n in range(3, capacity + 2))), 118.0)
    assert (window.capacity, window.used) == (capacity, capacity)


def test_what_an_old_connection_had_moved_is_not_news():
    """Only what it moves from now on."""
    machine, row = Machine(), client(bytes_sent=10**9)
    first = machine.report(row)
    row["bytes_sent"] += 500
    window = window_of((100.0, first), (101.0, machine.report(row)))
    assert moved(window, 101.0) == 500


def test_what_a_new_connection_has_moved_is_news():
    """All of it, also in a first report."""
    row = client(bytes_sent=700, opened_ns=NOW_NS - SECOND_NS)
    assert moved(window_of((100.0, Machine().report(row))), 100.0) == 700


def test_a_counter_that_falls_is_no_traffic():
    """Another tier knows less of it."""
    machine, row = Machine(), client(bytes_sent=900)
    first = machine.report(row)
    row["bytes_sent"] = 100
    assert moved(window_of((100.0, first), (101.0, machine.report(row))), 101.0) == 0


def test_a_shorter_window_has_less():
    """Of the same seconds."""
    machine, row = Machine(), client()
    steps = [(100.0, machine.report(row))]
    for second in (101.0, 105.0):
        row["bytes_sent"] += 1000
        steps.append((second, machine.report(row)))
    window = window_of(*steps)
    assert [moved(window, 105.0, seconds) for seconds in (1, 15)] == [1000, 2000]


def test_a_full_report_ends_what_it_does_not_tell():
    """Without counting a close that nobody saw."""
    machine = Machine()
    steps = (
        (100.0, machine.report(client(1), client(2))),
        (101.0, machine.report(client(2), full=True)),
    )
    window = window_of(*steps)
    assert np.count_nonzero(window.is_connection()) == 1
    assert len(window.recent(101.0, 15).closed) == 0


def test_rates_come_back_with_time():
    """A burst, then so many in a second."""
    rates = Rates(2.0, burst=3)
    assert [rates.take("a", 10.0) for _ in range(4)] == [True, True, True, False]
    assert [rates.take("a", 10.6), rates.take("a", 10.6)] == [True, False]
    assert rates.take("b", 10.6)


def test_columns_at_hand_are_those_of_the_rows():
    """A filter may read either; also after rows changed, ended, and the window grew."""
    machine, row = Machine(), client(bytes_sent=2**60 + 1, bytes_received=7, rtt_us=9, pid=2**22)
    steps = [(100.0, machine.report(row, *(client(n) for n in range(2, 2000))))]
    row["bytes_sent"] += 500
    steps += [(101.0, machine.report(row, ended=[closed(client(5, peer_port=80))]))]
    window = window_of(*steps)
    for name, column in window.columns(slice(None)).items():
        assert np.array_equal(column, window.rows[name]), name
