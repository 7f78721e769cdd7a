"""Looks as the table takes them, of one tier and of the next."""

from __future__ import annotations

from typing import Any

import pytest

from connscope.row.columns import Rows
from connscope.row.words import Group, Kind, Protocol, State, Tier
from connscope.table.connections import GENERATION_NS, ConnectionTable
from tests.unit.table.lives import NO_IDS, event, in_table, look, looked, told
from tests.unit.table.rows import ALL, batch, connection, ids

OPENED, CLOSED = Kind.OPENED, Kind.CLOSED


def test_first_look_tells_nobody_of_what_was_there_before():
    """It is in the table, and its end is news."""
    table = ConnectionTable()
    assert told(look(table, connection(1), connection(2, state=State.LISTEN))) == []
    assert (ids(in_table(table)), table.corrections.openings) == ([1, 2], 0)
    assert told(look(table)) == [(1, CLOSED), (2, Kind.UNLISTENED)]


def test_later_look_tells_what_no_event_has():
    """And counts it."""
    table = looked()
    found = look(table, connection(1), connection(2, state=State.LISTEN), now_ns=50)
    assert told(found) == [(1, OPENED), (2, Kind.LISTENING)]
    assert (table.corrections.openings, found["time_ns"].tolist()) == (2, [50, 50])
    assert told(look(table, connection(1), connection(2, state=State.LISTEN))) == []


def test_opening_that_was_told_is_not_told_by_the_look():
    """Whether the event came before the look or during it."""
    table = looked()
    table.apply(event(1, OPENED))
    assert told(look(table, connection(1), connection(2), meanwhile=event(2, OPENED))) == []
    assert table.corrections.openings == 0


def test_opening_during_the_look_is_told_by_its_event():
    """With its exact life: the look waits for it."""
    table = looked()
    table.begin_look(1)
    table.take_look(connection(1, opened_ns=0, known=ALL & ~Group.LIFE, exact=ALL & ~Group.LIFE))
    (found,) = table.apply(event(1, OPENED, opened_ns=33))
    assert (found["opened_ns"], found["exact"] & Group.LIFE) == (33, Group.LIFE)
    assert told(table.settle(1, 1)) == []


def test_what_came_after_the_look_began_is_not_missing_in_it():
    """The look may have been past its place, so that even the first miss does not count."""
    table = looked()
    assert told(look(table, meanwhile=event(1, OPENED), patience=1)) == []
    assert ids(in_table(table)) == [1]
    assert told(look(table, patience=1)) == [(1, CLOSED)]


def test_one_look_may_overlook_a_connection():
    """Where the tier tells of ends only the second one in a row counts."""
    table = looked()
    table.apply(event(1, OPENED))
    for shown in ([], [connection(1)], []):
        assert told(look(table, *shown, patience=2)) == []
    assert told(look(table, patience=2)) == [(1, CLOSED)]
    assert table.corrections.closings == 1


def test_end_that_a_look_found_is_told_once():
    """The event that follows is counted."""
    table = looked()
    table.apply(event(1, OPENED))
    look(table)
    assert told(table.apply(event(1, CLOSED))) == []
    assert table.corrections.repeated == 1


def test_look_does_not_bring_back_what_has_ended():
    """It was read before, but its end came first."""
    table = looked()
    table.apply(batch(event(1, OPENED), event(1, CLOSED)))
    assert told(look(table, connection(1))) == []
    assert len(table) == 0


@pytest.mark.parametrize(("generations", "is_there"), [(1, False), (2, True)])
def test_what_ended_is_forgotten_after_two_generations(generations: int, is_there: bool):
    """Nobody mentions it any more; a row with its id is a new one."""
    table = looked()
    table.begin_look(GENERATION_NS)
    table.apply(batch(event(1, OPENED), event(1, CLOSED)))
    for number in range(generations):
        table.begin_look(GENERATION_NS * (2 + number))
    table.take_look(connection(1))
    assert bool(len(table)) == is_there


def test_looks_in_a_row_do_not_make_it_forget_sooner():
    """A generation lasts for its time, however often somebody looks."""
    table = looked()
    table.apply(batch(event(1, OPENED), event(1, CLOSED)))
    for number in range(9):
        look(table, connection(1), now_ns=number)
    assert len(table) == 0


def test_news_replace_what_was_known():
    """Counters go on."""
    table = looked()
    table.apply(event(1, OPENED, bytes_sent=1))
    look(table, connection(1, bytes_sent=5, state=State.CLOSE_WAIT))
    (row,) = table.rows()
    assert (row["bytes_sent"], row["state"]) == (5, State.CLOSE_WAIT)


def test_look_does_not_forget_what_it_does_not_know():
    """Such rows are merged, whoever else is in the look."""
    table = looked()
    table.apply(batch(event(1, OPENED, pid=7, bytes_sent=9), event(2, OPENED, pid=8)))
    blind = {"pid": 1, "exact": ALL & ~Group.OWNER}
    look(table, connection(1, bytes_sent=5, **blind), connection(2, pid=8), connection(3))
    assert in_table(table)["pid"].tolist() == [7, 8, 0]
    assert in_table(table)["bytes_sent"].tolist() == [9, 0, 0]


@pytest.mark.parametrize("number", NO_IDS)
def test_row_of_a_look_with_an_id_that_is_none_is_counted(number: int):
    """And left out."""
    table = looked()
    look(table, connection(number), connection(1))
    assert (ids(in_table(table)), table.corrections.nameless) == ([1], 1)


@pytest.mark.parametrize("state", [State.SYN_SENT, State.SYN_RECV, State.CLOSE])
def test_connection_that_is_not_open_is_not_in_the_table(state: State):
    """It may still fail; or it has ended."""
    table = looked()
    assert told(look(table, connection(1, state=state), connection(2))) == [(2, OPENED)]
    assert ids(in_table(table)) == [2]


@pytest.mark.parametrize(
    ("tier", "known"), [(Tier.KPROBE, Group.IDENTITY | Group.ENDS), (Tier.NETLINK, ALL)]
)
def test_udp_socket_is_shown_but_not_told(tier: Tier, known: int):
    """It has no opening and no end."""
    columns = {"protocol": Protocol.UDP, "state": State.CLOSE, "tier": tier, "known": known}
    table, udp = looked(), connection(1, **columns)
    assert told(look(table, udp)) == []
    assert ids(in_table(table)) == [1]
    assert told(look(table)) == []
    assert (len(table), table.corrections.openings, table.corrections.closings) == (0, 0, 0)


@pytest.mark.parametrize("tier", [Tier.BTF, Tier.KPROBE])
def test_udp_flow_that_no_event_told_is_told(tier: Tier):
    """Its opening was lost; then its end was, too."""
    table, udp = looked(), connection(1, protocol=Protocol.UDP, tier=tier)
    assert told(look(table, udp)) == [(1, OPENED)]
    assert told(look(table, patience=1)) == [(1, CLOSED)]


def test_socket_that_a_look_shows_twice_is_there_once():
    """It moved while the look went by."""
    table = looked()
    assert told(look(table, connection(1), connection(1))) == [(1, OPENED)]
    assert told(look(table, connection(1), connection(1))) == []
    assert len(table) == 1


# Another tier


def renamed(number: int, **columns: Any) -> Rows:
    """How the next tier calls it."""
    given_columns = {"connection_id": 9000 + number, "tier": Tier.NETLINK}
    return connection(number, **(given_columns | columns))


def after_a_change() -> ConnectionTable:
    """Connection 1 was opened, then another tier took over."""
    table = looked()
    table.apply(event(1, OPENED))
    table.change_tier()
    return table


def test_connection_keeps_its_id_when_the_tier_changes():
    """Its opening is not told again; its end is, under that id, once."""
    table = after_a_change()
    for _ in range(2):
        assert told(look(table, renamed(1))) == []
        assert ids(in_table(table)) == [1]
    end = renamed(1, kind=CLOSED, state=State.CLOSE)
    assert told(table.apply(batch(end, end))) == [(1, CLOSED)]


def test_event_of_the_next_tier_finds_the_connection_too():
    """Without any look."""
    table = after_a_change()
    assert told(table.apply(renamed(1, kind=CLOSED, state=State.CLOSE))) == [(1, CLOSED)]
    assert len(table) == 0


def test_connection_that_the_next_tier_does_not_find_has_ended():
    """While nobody captured."""
    table = after_a_change()
    assert told(look(table, renamed(2))) == [(1, CLOSED), (9002, OPENED)]


def test_end_that_the_tier_before_told_is_not_told_again():
    """The kernel frees a socket somewhat later than it closes it."""
    table = looked()
    table.apply(batch(event(1, OPENED), event(1, CLOSED)))
    table.change_tier()
    assert told(table.apply(renamed(1, kind=CLOSED, state=State.CLOSE))) == []
    assert told(look(table, renamed(1))) == []


def test_end_that_the_first_look_of_a_tier_found_is_not_told_again():
    """Its event names it by an id that nobody has heard of."""
    table = after_a_change()
    assert told(look(table)) == [(1, CLOSED)]
    assert told(table.apply(renamed(1, kind=CLOSED, state=State.CLOSE))) == []


def test_connection_that_nobody_claimed_does_not_keep_its_slot():
    """The next one that gets the slot is not taken for it."""
    table = after_a_change()
    look(table)
    assert told(table.apply(renamed(2, kind=OPENED))) == [(9002, OPENED)]
    again = renamed(2, connection_id=7)
    assert told(table.apply(batch(again, again))) == told(batch(again, again))
    assert len(table) == 1


def test_connection_is_claimed_once():
    """A second id for the same ends is another connection."""
    table = after_a_change()
    rows = batch(renamed(1), renamed(1, connection_id=7, socket_id=7, socket_inode=7))
    assert told(look(table, rows)) == [(7, OPENED)]
    assert told(look(table, rows)) == []


def test_socket_that_is_connected_once_more_is_told_after_a_change():
    """Its ports tell it from the connection that has ended."""
    table = looked()
    table.apply(batch(event(1, OPENED), event(1, CLOSED)))
    table.change_tier()
    assert told(look(table, renamed(1, local_port=77))) == [(9001, OPENED)]


def test_what_the_better_tier_proved_survives_the_worse():
    """The next one only guesses whose it is."""
    table = looked()
    table.apply(event(1, OPENED, pid=7))
    table.change_tier()
    look(table, renamed(1, pid=1, exact=ALL & ~Group.OWNER))
    assert in_table(table)["pid"].tolist() == [7]
