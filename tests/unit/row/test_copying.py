"""Rows that are copied as whole pieces, with NumPy's copy of a record as the judge."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from connscope.row.columns import ROW
from connscope.row.copying import put_rows, take_rows

SIZE = 6
NUMBERS = st.lists(st.integers(0, SIZE - 1), max_size=9)
MASKS = st.lists(st.booleans(), min_size=SIZE, max_size=SIZE)


def some_rows(seed: int, count: int = SIZE):
    """Rows in which every byte is used."""
    return np.frombuffer(np.random.default_rng(seed).bytes(count * ROW.itemsize), ROW).copy()


@given(NUMBERS)
def test_rows_are_taken_by_number(numbers):
    """In the order of the numbers, every byte of them."""
    rows, which = some_rows(1), np.array(numbers, np.int64)
    assert take_rows(rows, which).tobytes() == rows[which].tobytes()
    assert take_rows(rows, which).dtype == ROW


@given(MASKS)
def test_rows_are_taken_by_mask(mask):
    """Those that are True."""
    rows, which = some_rows(1), np.array(mask)
    assert take_rows(rows, which).tobytes() == rows[which].tobytes()


@given(MASKS)
def test_rows_are_put_by_mask(mask):
    """The others stay as they are."""
    which = np.array(mask)
    rows, expected, values = some_rows(1), some_rows(1), some_rows(2, sum(mask))
    put_rows(rows, which, values)
    expected[which] = values
    assert rows.tobytes() == expected.tobytes()


@given(st.permutations(range(SIZE)), st.integers(0, SIZE))
def test_rows_are_put_by_number(order, count):
    """Each to its place."""
    which = np.array(order[:count], np.int64)
    rows, expected, values = some_rows(1), some_rows(1), some_rows(2, count)
    put_rows(rows, which, values)
    expected[which] = values
    assert rows.tobytes() == expected.tobytes()


def test_every_other_row_can_be_taken_from_and_put():
    """Rows need not lie one behind the other in memory."""
    sparse, which = some_rows(1)[::2], np.array([2, 0])
    assert take_rows(sparse, which).tobytes() == sparse[which].tobytes()
    rows = some_rows(3)
    put_rows(rows, which, sparse[:2])
    assert rows[which].tobytes() == sparse[:2].tobytes()


def test_what_was_taken_is_a_copy():
    """Also if all are taken."""
    rows = some_rows(1)
    take_rows(rows, np.ones(SIZE, np.bool_))["lost"] = 0
    take_rows(rows, np.arange(SIZE))["lost"] = 0
    assert rows.tobytes() == some_rows(1).tobytes()
