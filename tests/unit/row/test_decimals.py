"""Numbers as text, with Python's own as the judge."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.row.decimals import decimal_columns, padded_column
from tests.unit.row.column_texts import column_texts


def number_matrix(highest: int) -> st.SearchStrategy[list[list[int]]]:
    """Some columns of one length; often with small numbers, often all alike."""
    numbers = st.integers(0, highest) | st.integers(0, 100_000) | st.sampled_from((0, 9999, 10_000))
    return st.integers(1, 5).flatmap(
        lambda count: st.lists(
            st.lists(numbers, min_size=count, max_size=count)
            | numbers.map(lambda number: [number] * count),
            min_size=1,
            max_size=4,
        )
    )


@pytest.mark.parametrize("dtype", [np.uint32, np.uint64])
def test_decimal_is_pythons(dtype):
    """Numbers of each width are written as Python writes them, whatever stands beside them."""

    @given(number_matrix(int(np.iinfo(dtype).max)))
    def check(columns: list[list[int]]) -> None:
        numbers = np.array(columns, dtype)
        made = decimal_columns(numbers, numbers.min(axis=1), numbers.max(axis=1))
        found = [column_texts(column, len(columns[0])) for column in made]
        assert found == [[str(number) for number in column] for column in columns]

    check()


@given(st.lists(st.integers(0, 999_999_999), min_size=1))
def test_padded_has_zeros_in_front(numbers):
    """Nine digits are nine digits."""
    assert column_texts(padded_column(np.array(numbers), 9), len(numbers)) == [
        f"{n:09d}" for n in numbers
    ]
