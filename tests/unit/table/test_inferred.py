"""Events that are made of looks."""

from __future__ import annotations

import numpy as np

from connscope.row.words import Group, Kind, State
from connscope.table.inferred import beginnings, endings
from tests.unit.table.rows import ALL, batch, connection, kinds

NOW_NS = 900
LIFE, TRAFFIC, QUALITY = (int(group) for group in (Group.LIFE, Group.TRAFFIC, Group.QUALITY))
OPEN = batch(connection(1, bytes_sent=5), connection(2, state=State.LISTEN, opened_ns=0))


def test_connections_open_and_listeners_listen():
    """By their state."""
    assert kinds(beginnings(OPEN, NOW_NS)) == [Kind.OPENED, Kind.LISTENING]


def test_connections_close_and_listeners_listen_no_more():
    """By the state that they had."""
    assert kinds(endings(OPEN, NOW_NS)) == [Kind.CLOSED, Kind.UNLISTENED]


def test_when_it_opened_is_kept_where_it_is_known():
    """Else it was before now."""
    assert beginnings(OPEN, NOW_NS)["opened_ns"].tolist() == [1, NOW_NS]


def test_when_it_closed_is_not_known_better_than_now():
    """It has a time, in the state of one that is closed."""
    found = endings(OPEN, NOW_NS)
    assert found["closed_ns"].tolist() == found["time_ns"].tolist() == [NOW_NS, NOW_NS]
    assert found["state"].tolist() == [State.CLOSE, State.CLOSE]


def test_life_is_known_and_not_exact():
    """The look only saw that it had begun, or ended."""
    unknown = OPEN.copy()
    unknown["known"] = 0
    for found in (beginnings(unknown, NOW_NS), endings(unknown, NOW_NS)):
        assert (found["known"] & LIFE).all()
        assert not (found["exact"] & LIFE).any()


def test_opening_stays_exact_but_for_its_life():
    """It was read just now."""
    assert beginnings(OPEN, NOW_NS)["exact"].tolist() == [ALL & ~LIFE] * 2


def test_counters_of_the_last_look_are_not_the_final_ones():
    """They are told, and not as the truth."""
    found = endings(OPEN, NOW_NS)
    assert found["bytes_sent"].tolist() == [5, 0]
    assert found["exact"].tolist() == [ALL & ~(LIFE | TRAFFIC | QUALITY)] * 2


def test_rows_themselves_stay_as_they_are():
    """They are copied."""
    before = OPEN.copy()
    beginnings(OPEN, NOW_NS)
    endings(OPEN, NOW_NS)
    assert np.array_equal(OPEN, before)
