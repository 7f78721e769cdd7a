"""Flows of a look while conntrack is not asked again, because that takes long."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from connscope.capture.conntrack.home import ConntrackHome
from connscope.capture.conntrack.watch import FREE_S, SHARE, ConntrackWatch
from connscope.errors import FailedError
from connscope.row.columns import ROW, Rows
from connscope.row.words import Kind, Protocol, Role, Tier


class FakeHome:
    """Tells and shows what it is given; to ask it is work."""

    def __init__(self) -> None:
        self.now_s = self.worked_s = 0.0
        self.asked = 0
        self.costs_s = 2 * FREE_S
        self.told: list[Rows] = []
        self.there: Rows = np.empty(0, ROW)
        self.inode = 0
        self.look_failure: FailedError | None = None

    def hear(self, most: int, are_known: Any) -> tuple[Rows, int, int]:
        """What was told since the last time."""
        rows = np.concatenate((np.empty(0, ROW), *self.told))
        self.told = []
        return rows, len(rows), 0

    def look(self, are_known: Any) -> Rows:
        """What is there."""
        self.asked += 1
        self.worked_s += self.costs_s
        return self.there.copy()

    def are_for_groups(self, rows: Rows) -> Any:
        """None."""
        return np.zeros(len(rows), np.bool_)


def flow(number: int, kind: Kind, sent: int = 0) -> Rows:
    """A row of a flow."""
    rows = np.zeros(1, ROW)
    rows["connection_id"], rows["kind"], rows["bytes_sent"] = number, kind, sent
    rows["protocol"], rows["role"], rows["local_port"] = Protocol.UDP, Role.CLIENT, number
    rows["peer_port"] = 53
    return rows


class Watched:
    """A watch and its only namespace."""

    def __init__(self) -> None:
        self.home = FakeHome()
        self.watch = ConntrackWatch(
            Tier.NETLINK, lambda: self.home.now_s, lambda: self.home.worked_s
        )

    def tell(self, *rows: Rows) -> None:
        """It is heard."""
        self.home.told += rows
        self.watch.hear(cast("ConntrackHome", self.home))

    def shown(self) -> list[tuple[int, int, int]]:
        """A look: number, kind and bytes of each flow."""
        rows = self.watch.look([cast("ConntrackHome", self.home)], np.empty(0, ROW))
        assert (rows["tier"] == Tier.NETLINK).all()
        return sorted(
            (int(row["connection_id"]), int(row["kind"]), int(row["bytes_sent"])) for row in rows
        )


@pytest.fixture
def watched() -> Watched:
    """One flow is there, and conntrack has just been asked."""
    made = Watched()
    made.home.there = flow(1, Kind.SNAPSHOT, 10)
    assert made.shown() == [(1, Kind.SNAPSHOT, 10)]
    return made


def test_who_takes_long_is_not_asked_again_at_once(watched: Watched) -> None:
    """Its counters are those of the last time, until the rest is over."""
    watched.home.there = flow(1, Kind.SNAPSHOT, 20)
    assert (watched.shown(), watched.home.asked) == ([(1, Kind.SNAPSHOT, 10)], 1)
    watched.home.now_s += SHARE * watched.home.costs_s
    assert (watched.shown(), watched.home.asked) == ([(1, Kind.SNAPSHOT, 20)], 2)


def test_who_does_not_answer_says_nothing_of_flows(watched: Watched) -> None:
    """They are shown as before, and their ends are heard with all that is known of them."""
    watched.home.there = np.empty(0, ROW)
    watched.home.look_failure = FailedError("conntrack", "no answer")
    watched.tell(flow(2, Kind.OPENED))
    for _ in range(3):
        watched.home.now_s += SHARE * watched.home.costs_s
        assert watched.shown() == [(1, Kind.SNAPSHOT, 10), (2, Kind.SNAPSHOT, 0)]
    watched.tell(flow(1, Kind.IDLE))
    assert watched.shown() == [(2, Kind.SNAPSHOT, 0)]


def test_who_is_quick_is_asked_each_time() -> None:
    """That costs next to nothing."""
    made = Watched()
    made.home.costs_s = FREE_S / 2
    for turn in (1, 2, 3):
        made.shown()
        assert made.home.asked == turn


def test_what_begins_meanwhile_is_shown(watched: Watched) -> None:
    """As a look shows it, also if it is the same flow that came back."""
    watched.tell(flow(2, Kind.OPENED), flow(1, Kind.OPENED))
    assert watched.shown() == [(1, Kind.SNAPSHOT, 10), (2, Kind.SNAPSHOT, 0)]
    assert watched.home.asked == 1


def test_what_ends_meanwhile_is_not(watched: Watched) -> None:
    """Whether it was shown before or not."""
    watched.tell(flow(2, Kind.OPENED), flow(3, Kind.OPENED))
    watched.tell(flow(1, Kind.IDLE), flow(2, Kind.IDLE))
    assert watched.shown() == [(3, Kind.SNAPSHOT, 0)]


def test_what_begins_where_nobody_looks_is_not_kept() -> None:
    """Who only listens needs no memory for looks."""
    made = Watched()
    for number in range(1, 100):
        made.tell(flow(number, Kind.OPENED))
    assert not made.watch._begun
