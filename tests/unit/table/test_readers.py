"""Readers of closed connections, with a list in Python as the judge."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.row.columns import ROW, Rows
from connscope.row.words import Group, Kind
from connscope.table.readers import Readers

EXPIRES_S = 10.0


def ended(*sizes: int, first_id: int = 1, kind: Kind = Kind.CLOSED) -> Rows:
    """Closed connections of so many bytes, with ids that count up."""
    rows = np.zeros(len(sizes), ROW)
    rows["kind"], rows["known"] = kind, Group.TRAFFIC
    rows["bytes_received"] = sizes
    rows["connection_id"] = np.arange(first_id, first_id + len(sizes))
    return rows


def ids(rows: Rows) -> list[int]:
    """Which connections these are."""
    return [int(number) for number in rows["connection_id"]]


def readers(capacity: int = 4, when_full: Any = "evict_empty") -> Readers:
    """With one reader, ``a``, from second 0 on."""
    made = Readers(capacity, when_full, EXPIRES_S)
    made.register("a", 0)
    return made


def test_each_reader_gets_each_connection_once():
    """What one has taken is still there for the other, and not for the first."""
    log = readers()
    log.register("b", 0)
    log.store(ended(1, 2), 0)
    assert ids(log.take("a", 0).rows) == [1, 2]
    log.store(ended(3, first_id=3), 0)
    assert ids(log.take("a", 0).rows) == [3]
    assert ids(log.take("b", 0).rows) == [1, 2, 3]
    assert ids(log.take("b", 0).rows) == []


def test_rows_come_back_as_they_were():
    """Every byte of a row survives."""
    log = readers()
    rows = np.frombuffer(np.random.default_rng(1).bytes(3 * ROW.itemsize), ROW).copy()
    rows["kind"] = (Kind.CLOSED, Kind.FAILED, Kind.CLOSED)
    log.store(rows, 0)
    assert log.take("a", 0).rows.tobytes() == rows.tobytes()


def test_new_reader_is_shown_nothing_from_before():
    """Its first question says only that it is there."""
    log = readers()
    log.store(ended(1), 0)
    assert ids(log.take("b", 0).rows) == []
    log.store(ended(2, first_id=2), 0)
    assert ids(log.take("b", 0).rows) == [2]


def test_open_connections_are_not_kept():
    """Only those are that closed, failed or are idle."""
    log = readers(capacity=9)
    rows = ended(*range(len(Kind)))
    rows["kind"] = list(Kind)
    log.store(rows, 0)
    assert log.take("a", 0).rows["kind"].tolist() == [Kind.FAILED, Kind.CLOSED, Kind.IDLE]


def test_nothing_is_kept_for_nobody():
    """Without readers nothing is stored, and nothing missed."""
    log = Readers(4, "evict_empty", EXPIRES_S)
    log.store(ended(1), 0)
    assert log.counters().stored == log.counters().waiting == log.counters().dropped == 0


def test_what_all_have_taken_is_dropped():
    """It makes room and is no loss."""
    log = readers(capacity=2)
    log.store(ended(1, 2), 0)
    log.take("a", 0)
    assert log.counters().waiting == 0
    log.store(ended(3, 4, first_id=3), 0)
    assert log.counters().dropped == 0


def test_empty_connections_give_way_first():
    """The oldest empty one goes, although others are older."""
    log = readers()
    log.store(ended(5, 0, 5, 0), 0)
    log.store(ended(5, first_id=5), 0)
    assert ids(log.take("a", 0).rows) == [1, 3, 4, 5]


def test_oldest_gives_way_when_none_is_empty():
    """A new connection is worth more than an old one."""
    log = readers()
    log.store(ended(5, 5, 5, 5), 0)
    log.store(ended(5, first_id=5), 0)
    assert ids(log.take("a", 0).rows) == [2, 3, 4, 5]


def test_new_empty_connection_evicts_no_other():
    """If it is the only empty one it is the one that goes."""
    log = readers()
    log.store(ended(5, 5, 5, 5), 0)
    log.store(ended(0, first_id=5), 0)
    assert ids(log.take("a", 0).rows) == [1, 2, 3, 4]


def test_unknown_traffic_is_not_empty():
    """Zeros of a tier that does not count bytes say nothing."""
    log = readers(capacity=1)
    unknown = ended(0)
    unknown["known"] = 0
    log.store(unknown, 0)
    log.store(ended(0, first_id=2), 0)
    assert ids(log.take("a", 0).rows) == [1]


def test_failed_connect_is_empty_without_counters():
    """Nothing can have been sent on it."""
    log = readers(capacity=1)
    failed = ended(0, first_id=2, kind=Kind.FAILED)
    failed["known"] = 0
    log.store(ended(5), 0)
    log.store(failed, 0)
    assert ids(log.take("a", 0).rows) == [1]


def test_full_log_refuses_if_told_so():
    """The old ones stay, also the empty ones."""
    log = readers(capacity=2, when_full="refuse")
    log.store(ended(0, 5, 5), 0)
    log.store(ended(5, first_id=4), 0)
    taken = log.take("a", 0)
    assert (ids(taken.rows), taken.dropped) == ([1, 2], 2)


def test_refused_rows_are_not_told_later():
    """After a pause the log goes on with what comes then."""
    log = readers(capacity=1, when_full="refuse")
    log.store(ended(5, 5), 0)
    log.take("a", 0)
    log.store(ended(5, first_id=3), 0)
    assert ids(log.take("a", 0).rows) == [3]


def test_drops_are_counted_for_those_that_missed_them():
    """Who had taken it in time has lost nothing; a dropped row counts once in total."""
    log = readers(capacity=2)
    log.store(ended(5, 5), 0)
    log.register("b", 0)
    log.store(ended(5, first_id=3), 0)
    log.take("b", 0)
    log.store(ended(5, 5, first_id=4), 0)
    counters = log.counters()
    assert (counters.dropped, counters.dropped_for) == (3, {"a": 3, "b": 0})


def test_drops_are_told_once():
    """The next answer tells only what was missed since."""
    log = readers(capacity=1)
    log.store(ended(5, 5, 5), 0)
    assert log.take("a", 0).dropped == 2
    assert log.take("a", 0).dropped == 0
    assert log.counters().dropped_for == {"a": 2}


def test_batch_larger_than_the_log_leaves_its_end():
    """The rest is dropped, the empty ones first."""
    log = readers(capacity=2)
    log.store(ended(5, 5, 5, 0, 0), 0)
    taken = log.take("a", 0)
    assert (ids(taken.rows), taken.dropped) == ([2, 3], 3)


def test_reader_that_does_not_ask_is_forgotten():
    """Its rows and drops go with it; when it asks again it is a new one."""
    log = readers(capacity=1)
    log.store(ended(5, 5), 0)
    log.register("b", EXPIRES_S + 1)
    counters = log.counters()
    assert (counters.waiting, counters.dropped_for, counters.expired) == (0, {"b": 0}, 1)
    taken = log.take("a", EXPIRES_S + 1)
    assert (ids(taken.rows), taken.dropped) == ([], 0)


def test_reader_that_asks_is_kept():
    """Every question counts, and exactly the expiry is not too late."""
    log = readers()
    log.take("a", EXPIRES_S)
    log.store(ended(5), 2 * EXPIRES_S)
    assert ids(log.take("a", 2 * EXPIRES_S).rows) == [1]


def test_known_reader_may_register_again():
    """It has asked, and loses nothing."""
    log = readers()
    log.store(ended(5), 0)
    log.register("a", EXPIRES_S)
    assert ids(log.take("a", 2 * EXPIRES_S).rows) == [1]


def test_forgotten_reader_frees_its_rows():
    """Nobody else wants them."""
    log = readers()
    log.store(ended(5), 0)
    log.forget("a")
    log.forget("nobody")
    assert log.counters().waiting == log.counters().readers == 0


@dataclass
class Model:
    """The same, one row after the other."""

    capacity: int
    when_full: str
    rows: list[tuple[int, bool, set[str]]] = field(default_factory=list)
    asked: dict[str, float] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    total: int = 0

    def expire(self, now_s: float) -> None:
        for name in [name for name, then in self.asked.items() if now_s - then > EXPIRES_S]:
            self.forget(name)

    def forget(self, name: str) -> None:
        self.asked.pop(name, None)
        self.dropped.pop(name, None)
        for _, _, waiting in self.rows:
            waiting.discard(name)
        self.rows = [row for row in self.rows if row[2]]

    def store(self, rows: Rows, now_s: float) -> None:
        self.expire(now_s)
        for row in rows if self.asked else ():
            empty = row["bytes_received"] == 0
            self.rows.append((int(row["connection_id"]), bool(empty), set(self.asked)))
            if len(self.rows) > self.capacity:
                self.drop()

    def drop(self) -> None:
        victim = next((row for row in self.rows if row[1]), self.rows[0])
        if self.when_full == "refuse":
            victim = self.rows[-1]
        self.rows.remove(victim)
        self.total += 1
        for name in victim[2]:
            self.dropped[name] = self.dropped.get(name, 0) + 1

    def take(self, name: str, now_s: float) -> tuple[list[int], int]:
        self.expire(now_s)
        self.asked[name] = now_s
        taken = [number for number, _, waiting in self.rows if name in waiting]
        dropped = self.dropped.pop(name, 0)
        for _, _, waiting in self.rows:
            waiting.discard(name)
        self.rows = [row for row in self.rows if row[2]]
        return taken, dropped


NAMES = st.sampled_from("abc")
STEPS = st.lists(
    st.tuples(st.just("store"), st.lists(st.integers(0, 1), max_size=9).map(tuple), st.floats(0, 4))
    | st.tuples(st.just("take"), NAMES, st.floats(0, 4))
    | st.tuples(st.just("forget"), NAMES, st.just(0.0)),
    max_size=30,
)


@given(STEPS, st.integers(1, 6), st.sampled_from(("evict_empty", "refuse")))
def test_readers_get_what_a_list_would_give_them(steps, capacity, when_full):
    """Rows, their order and the drops are those of the model, whatever comes in which order."""
    log, model = readers(capacity, when_full), Model(capacity, when_full)
    model.take("a", 0)
    now_s, next_id = 0.0, 1
    for step, what, passes_s in steps:
        now_s += passes_s
        if step == "store":
            rows = ended(*what, first_id=next_id)
            next_id += len(rows)
            log.store(rows, now_s)
            model.store(rows, now_s)
        elif step == "take":
            taken = log.take(what, now_s)
            assert (ids(taken.rows), taken.dropped) == model.take(what, now_s)
        else:
            log.forget(what)
            model.forget(what)
        counters = log.counters()
        assert (counters.waiting, counters.dropped) == (len(model.rows), model.total)
        assert set(counters.dropped_for) == set(model.asked)


@pytest.mark.parametrize("when_full", ["evict_empty", "refuse"])
def test_rows_are_stored_once_for_all_readers(when_full: Any):
    """Another reader takes no other copy: so many fit, however many readers there are."""
    log = readers(capacity=3, when_full=when_full)
    for name in "bcdef":
        log.register(name, 0)
    log.store(ended(1, 2, 3), 0)
    assert (log.counters().waiting, log.counters().dropped) == (3, 0)
