"""Events as the table takes them; tests/unit/tracker has whole histories."""

from __future__ import annotations

import numpy as np
import pytest

from connscope.row.columns import ROW, lost_row
from connscope.row.words import Group, Kind, OwnerEvidence, Protocol, State, Tier
from tests.unit.table.lives import NO_IDS, event, in_table, look, looked, told
from tests.unit.table.rows import ALL, batch, connection, ids, kinds

OPENED, CLOSED, FAILED, ACCEPTED = Kind.OPENED, Kind.CLOSED, Kind.FAILED, Kind.ACCEPTED


def test_life_is_told_as_it_comes():
    """Opening and end, in their order."""
    table = looked()
    rows = batch(event(1, OPENED), event(2, OPENED), event(1, CLOSED))
    assert told(table.apply(rows)) == [(1, OPENED), (2, OPENED), (1, CLOSED)]
    assert ids(in_table(table)) == [2]


def test_events_of_one_connection_are_taken_in_their_order():
    """Also if they come in one batch: the last one knows of all."""
    table = looked()
    server = {"pid": 7, "owner_evidence": OwnerEvidence.ACCEPT}
    blind = {"pid": 0, "owner_evidence": 0, "known": ALL & ~Group.OWNER}
    rows = batch(event(1, OPENED, **blind), event(1, ACCEPTED, **server), event(1, CLOSED, **blind))
    assert table.apply(rows)["pid"].tolist() == [0, 7, 7]


@pytest.mark.parametrize("kind", [OPENED, CLOSED, Kind.LISTENING, Kind.UNLISTENED])
def test_what_comes_twice_is_told_once(kind: Kind):
    """And counted."""
    table = looked()
    assert len(table.apply(batch(event(1, kind), event(1, kind)))) == 1
    assert len(table.apply(event(1, kind))) == 0
    assert table.corrections.repeated == 2


def test_opening_that_comes_after_the_end_is_not_told():
    """It would stay open for ever."""
    table = looked()
    assert told(table.apply(batch(event(1, CLOSED), event(1, OPENED)))) == [(1, CLOSED)]
    assert (len(table), table.corrections.repeated) == (0, 1)


def test_accept_after_the_end_does_not_bring_it_back():
    """Who was reset in the queue is accepted all the same."""
    table = looked()
    table.apply(batch(event(1, OPENED), event(1, CLOSED), event(1, ACCEPTED)))
    assert len(table) == 0


def test_accept_in_state_close_is_no_open_connection():
    """Nobody is told of it either: its end came before us, or was lost, and comes no more."""
    table = looked()
    assert told(table.apply(event(1, ACCEPTED, state=State.CLOSE))) == []
    assert (len(table), table.corrections.repeated) == (0, 1)


def test_accept_without_opening_is_an_open_connection():
    """Its opening was lost; the next look has something to tell."""
    table = looked()
    assert told(table.apply(event(1, ACCEPTED))) == [(1, ACCEPTED)]
    assert told(look(table, connection(1))) == [(1, OPENED)]
    assert table.corrections.openings == 1


def test_each_failure_of_a_socket_is_told():
    """It may try again as often as it likes."""
    table = looked()
    rows = batch(event(1, FAILED), event(1, FAILED))
    assert told(table.apply(rows)) == [(1, FAILED), (1, FAILED)]
    assert (len(table), table.corrections.repeated) == (0, 0)


@pytest.mark.parametrize("number", NO_IDS)
def test_event_with_an_id_that_is_none_is_told_and_counted(number: int):
    """It can not be kept."""
    table = looked()
    assert len(table.apply(event(number, OPENED))) == 1
    assert (len(table), table.corrections.nameless) == (0, 1)


def test_what_is_no_life_is_passed_on_in_its_place():
    """A lost row stands where some are missing."""
    table = looked()
    rows = batch(
        event(1, OPENED), lost_row(3, 1, Tier.BTF), event(1, Kind.SNAPSHOT), event(1, CLOSED)
    )
    assert kinds(table.apply(rows)) == [OPENED, Kind.LOST, Kind.SNAPSHOT, CLOSED]
    assert table.corrections.nameless == 0


def test_udp_flow_comes_back_under_its_id():
    """It was idle, or has failed, and then there is a datagram again; a look is no proof of it."""
    table, udp = looked(), {"protocol": Protocol.UDP}
    rows = (event(1, OPENED, **udp), event(1, Kind.IDLE, **udp), event(1, OPENED, **udp))
    assert kinds(table.apply(batch(*rows))) == [OPENED, Kind.IDLE, OPENED]
    assert len(table) == 1
    assert kinds(table.apply(event(1, Kind.IDLE, **udp))) == [Kind.IDLE]
    assert len(table) == 0


def test_end_is_told_with_all_that_is_known():
    """Not only with what the event knows."""
    table = looked()
    table.apply(event(1, OPENED, pid=7, bytes_sent=9))
    end = event(1, CLOSED, pid=0, bytes_sent=0, known=0, exact=0)
    (found,) = table.apply(end)
    assert (found["pid"], found["bytes_sent"], found["kind"]) == (7, 9, CLOSED)


def test_no_events_are_nothing():
    """An empty batch."""
    assert len(looked().apply(np.empty(0, ROW))) == 0


def test_events_themselves_stay_as_they_are():
    """What is told is a copy."""
    table, rows = looked(), event(1, CLOSED, pid=0, known=0)
    table.apply(event(1, OPENED, pid=7))
    before = rows.tobytes()
    table.apply(rows)
    assert rows.tobytes() == before


def test_rows_are_snapshots():
    """Whatever they were when they came."""
    table = looked()
    table.apply(event(1, OPENED))
    assert kinds(table.rows()) == [Kind.SNAPSHOT]
