"""What differs between two looks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.capture.changes import LookChanges
from connscope.row.columns import ROW, Rows
from connscope.row.words import Group, Kind, Protocol, State, Tier
from tests.unit.capture.fake_tier import FakeTier
from tests.unit.sample_rows import one_row

TELLS_CLOSES = frozenset({Kind.CLOSED, Kind.LOST})


def socket_row(connection_id: int, state: State = State.ESTABLISHED, **columns: int) -> Rows:
    """One open TCP socket, all groups exact."""
    return one_row(
        kind=Kind.SNAPSHOT,
        protocol=Protocol.TCP,
        connection_id=connection_id,
        state=state,
        known=127,
        exact=127,
        **columns,
    )


def looked(tier: FakeTier, *rows: Rows) -> None:
    """What the next look shows."""
    tier.rows = np.concatenate(rows) if rows else np.empty(0, ROW)


def told(changes: LookChanges) -> list[tuple[Kind, int]]:
    """What is told, without the details."""
    rows = changes.take()
    pairs = zip(rows["kind"].tolist(), rows["connection_id"].tolist(), strict=True)
    return sorted((Kind(kind), number) for kind, number in pairs)


def test_what_was_there_before_is_no_event() -> None:
    """As with events: who comes late is not told of what opened before."""
    tier = FakeTier()
    looked(tier, socket_row(1))
    assert told(LookChanges(tier, 0)) == []


def test_openings_and_closings_of_both_kinds_of_sockets() -> None:
    """A connection opens and closes, a listener listens and does no more."""
    tier = FakeTier()
    changes = LookChanges(tier, 0)
    looked(tier, socket_row(1), socket_row(2, State.LISTEN))
    assert told(changes) == [(Kind.OPENED, 1), (Kind.LISTENING, 2)]
    looked(tier)
    assert told(changes) == [(Kind.CLOSED, 1), (Kind.UNLISTENED, 2)]


def test_kinds_that_the_tier_tells_itself_are_left_to_it() -> None:
    """Nothing is told twice."""
    tier = FakeTier(Tier.NETLINK, TELLS_CLOSES)
    looked(tier, socket_row(1), socket_row(2, State.LISTEN))
    changes = LookChanges(tier, 0)
    looked(tier)
    assert told(changes) == [(Kind.UNLISTENED, 2)]


@pytest.mark.parametrize("state", [State.SYN_SENT, State.SYN_RECV])
def test_handshake_is_not_open(state: State) -> None:
    """It is told when it is done."""
    tier = FakeTier()
    changes = LookChanges(tier, 0)
    looked(tier, socket_row(1, state))
    assert told(changes) == []
    looked(tier, socket_row(1))
    assert told(changes) == [(Kind.OPENED, 1)]


def test_udp_sockets_are_no_connections() -> None:
    """They come and go without a word."""
    tier = FakeTier()
    changes = LookChanges(tier, 0)
    udp = socket_row(1)
    udp["protocol"] = Protocol.UDP
    looked(tier, udp)
    assert told(changes) == []


def test_event_is_not_exact_about_what_happened_in_between() -> None:
    """When it was lies between two looks; the last counters are those of the look before."""
    tier = FakeTier()
    changes = LookChanges(tier, 0)
    looked(tier, socket_row(1))
    (opened,) = changes.take()
    looked(tier)
    (closed,) = changes.take()
    assert Group.LIFE not in Group(int(opened["exact"]))
    assert Group.TRAFFIC in Group(int(opened["exact"]))
    assert not Group(int(closed["exact"])) & (Group.LIFE | Group.TRAFFIC | Group.QUALITY)
    assert (closed["state"], closed["closed_ns"]) == (State.CLOSE, closed["time_ns"])


def test_owner_that_a_look_came_too_late_for_is_not_forgotten() -> None:
    """The socket was closed while its look went on: it is there, and in no fd table."""
    tier = FakeTier()
    changes = LookChanges(tier, 0)
    looked(tier, socket_row(1, pid=7), socket_row(2, pid=8))
    changes.take()
    closing = socket_row(1, pid=0)
    closing["known"] &= ~np.uint16(Group.OWNER)
    looked(tier, closing, socket_row(2, pid=9))
    changes.take()
    looked(tier)
    rows = changes.take()
    assert rows["pid"].tolist() == [7, 9]
    assert (rows["known"] & Group.OWNER).all()


def test_nothing_is_told_before_it_is_due() -> None:
    """Between two looks there is nothing to say."""
    tier = FakeTier()
    changes = LookChanges(tier, 3600)
    looked(tier, socket_row(1))
    assert told(changes) == []
    assert 3500 < changes.due_in_s() <= 3600


@given(st.lists(st.sets(st.integers(1, 6)), max_size=6))
def test_opened_less_closed_is_what_is_open(looks: list[set[int]]) -> None:
    """Whatever comes and goes, the events add up to the last look."""
    tier = FakeTier()
    changes, is_open = LookChanges(tier, 0), set[int]()
    for numbers in looks:
        looked(tier, *(socket_row(number) for number in numbers))
        for kind, number in told(changes):
            (is_open.add if kind == Kind.OPENED else is_open.remove)(number)
        assert is_open == numbers
