"""The memory of the table, with a dict as the judge."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.row.columns import ROW, Rows
from connscope.table.slots import Slots
from tests.unit.table.rows import bytes_kept, ids

MARKS = ("told", "seen", "added", "ids")
ADD = st.tuples(st.just("add"), st.sampled_from([0, 1, 5, 1100]), st.just(0))
FREE = st.tuples(st.just("free"), st.integers(1, 4), st.integers(0, 3))
PUT = st.tuples(st.just("put"), st.integers(1, 4), st.integers(0, 3))


def rows_of(numbers: Any) -> Rows:
    """Rows with these ids."""
    rows = np.zeros(len(numbers), ROW)
    rows["connection_id"] = numbers
    return rows


@given(st.lists(ADD | FREE | PUT, max_size=9))
def test_slots_are_a_dict(steps):
    """Each row stays in its place until it is freed, whatever comes and goes around it."""
    slots, model, last = Slots(), dict[int, int](), 0
    for does, number, start in steps:
        chosen = sorted(model)[start::number] if does != "add" else []
        fresh = np.arange(last + 1, last + 1 + (number if does == "add" else len(chosen)))
        if does == "add":
            added = slots.add(rows_of(fresh)).tolist()
            assert not model.keys() & set(added)
            assert len(set(added)) == number
            model |= dict(zip(added, fresh.tolist(), strict=True))
        elif does == "free":
            slots.free(np.array(chosen, np.int64))
            model = {slot: each for slot, each in model.items() if slot not in set(chosen)}
        else:
            slots.put(np.array(chosen, np.int64), rows_of(fresh))
            model |= dict(zip(chosen, fresh.tolist(), strict=True))
        last += len(fresh)
        places = sorted(model)
        assert len(slots) == len(model)
        assert np.flatnonzero(slots.used).tolist() == places
        assert ids(slots.rows()) == [model[slot] for slot in places]
        assert ids(slots.take(np.array(places, np.int64))) == [model[slot] for slot in places]


@pytest.mark.parametrize("name", MARKS)
def test_marks_stay_when_the_memory_moves(name: str):
    """Growing and shrinking take them along."""
    slots = Slots()
    some = slots.add(rows_of([7, 8]))
    getattr(slots, name)[some] = [1, 0]
    many = slots.add(rows_of(range(9000)))
    assert getattr(slots, name)[some].tolist() == [1, 0]
    slots.free(many)
    assert getattr(slots, name)[some].tolist() == [1, 0]


def test_new_row_was_not_missed_yet():
    """Whoever had the slot before it may have been."""
    slots = Slots()
    old = slots.add(rows_of(range(2000)))
    slots.missed[old] = 1
    slots.free(old)
    again = slots.add(rows_of(range(2000)))
    assert not slots.missed[again].any()


def test_rows_are_copies():
    """Who gets them may write to them."""
    slots = Slots()
    some = slots.add(rows_of([7]))
    slots.rows()["connection_id"] = slots.take(some)["connection_id"] = 9
    assert ids(slots.rows()) == [7]


def test_column_may_be_written_to():
    """It is no copy."""
    slots = Slots()
    some = slots.add(rows_of([7]))
    slots.column("connection_id")[some] = 9
    assert ids(slots.rows()) == [9]


def test_memory_is_given_back():
    """As soon as few are left, and nobody is in the way."""
    slots = Slots()
    few = bytes_kept(lambda: slots.add(rows_of(range(5000))))

    def come_and_go() -> None:
        slots.free(slots.add(rows_of(range(100_000))))
        slots.free(slots.add(rows_of([1])))

    assert bytes_kept(come_and_go) < 10 * few


def test_slots_in_use_are_not_given_back():
    """A row that stands high up stays there, and can still be freed."""
    slots = Slots()
    many = slots.add(rows_of(range(100_000)))
    highest = int(np.argmax(many))
    slots.free(np.delete(many, highest))
    assert ids(slots.take(many[[highest]])) == [highest]
    slots.free(many[[highest]])
    assert len(slots) == 0
