"""Numbers for keys, and which slots have changed."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from connscope.server import change_log
from connscope.server.change_log import ChangeLog
from connscope.server.keys import KeyIndex, distinct, halves, mixed

BATCHES = st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=8)


@given(BATCHES)
def test_a_key_keeps_its_number(batches: list[list[int]]):
    """Numbers are those of a dictionary, in any order of its new keys within a batch."""
    index, known = KeyIndex(), dict[int, int]()
    for batch in batches:
        keys = np.array(batch, np.uint64)
        numbers, fresh = index.give(keys)
        assert {batch[place] for place in fresh} == set(batch) - known.keys()
        for place, key in enumerate(batch):
            assert known.setdefault(key, int(numbers[place])) == numbers[place]
        assert sorted(known.values()) == list(range(len(index)))
        assert index.find(keys).tolist() == numbers.tolist()


def test_an_unknown_key_has_no_number():
    """Whether or not there are others."""
    index = KeyIndex()
    asked = np.array([7], np.uint64)
    assert index.find(asked).tolist() == [-1]
    index.give(np.array([6, 8], np.uint64))
    assert index.find(asked).tolist() == [-1]


def test_mixed_keys_tell_columns_apart():
    """The same values in other columns are another key."""
    one, other = np.array([1], np.uint32), np.array([2], np.uint32)
    assert mixed(one, other) != mixed(other, one)
    assert mixed(one, other) == mixed(one.copy(), other.copy())


def test_halves_are_all_16_bytes():
    """A difference in any of them is one in a half."""
    names = np.array([b"a" * 15 + b"b", b"a" * 16, b"b" + b"a" * 15], "V16")
    first, second = halves(names)
    assert (first[0], second[0]) != (first[1], second[1])
    assert first[1] != first[2]


@given(st.lists(st.lists(st.integers(0, 50)), min_size=1))
def test_distinct_is_a_sorted_set(parts: list[list[int]]):
    """Of all parts."""
    found = distinct(*(np.array(part, np.intp) for part in parts))
    assert found.tolist() == sorted({slot for part in parts for slot in part})


def test_a_log_tells_what_came_since():
    """Each slot once."""
    log = ChangeLog()
    log.add(np.array([5, 3]))
    position = log.position
    log.add(np.array([], np.intp))
    log.add(np.array([9, 5]))
    log.add(np.array([9]))
    assert found(log, position) == [5, 9]
    assert found(log, 0) == [3, 5, 9]
    assert found(log, log.position) == []


def test_a_log_forgets(monkeypatch):
    """Who asks too late is told to look at everything."""
    monkeypatch.setattr(change_log, "KEPT_AT_LEAST", 3)
    log = ChangeLog()
    for slot in range(5):
        log.add(np.array([slot]))
    assert log.since(0) is None
    assert found(log, log.position - 2) == [3, 4]


def found(log: ChangeLog, position: int) -> list[int] | None:
    """As a list."""
    slots = log.since(position)
    return None if slots is None else slots.tolist()
