"""Lines made column by column."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from connscope.row.text_rows import TextRows, decimal_column, looked_up_column, padded_column


def texts(column) -> list[str]:
    """A column's lines, without what fills them up."""
    return [bytes(line).replace(b"\0", b"").decode() for line in column]


@given(st.lists(st.integers(0, (1 << 64) - 1) | st.integers(0, 100_000), min_size=1))
def test_decimal_of_64_bits_is_pythons(numbers):
    """Numbers are written as Python writes them."""
    assert texts(decimal_column(np.array(numbers, np.uint64))) == [str(n) for n in numbers]


@given(st.lists(st.integers(0, (1 << 32) - 1) | st.integers(0, 100_000), min_size=1))
def test_decimal_of_32_bits_is_pythons(numbers):
    """Smaller numbers are written as Python writes them too."""
    assert texts(decimal_column(np.array(numbers, np.uint32))) == [str(n) for n in numbers]


@given(st.lists(st.integers(0, 999_999_999), min_size=1))
def test_padded_has_zeros_in_front(numbers):
    """Nine digits are nine digits."""
    assert texts(padded_column(np.array(numbers), 9)) == [f"{n:09d}" for n in numbers]


def test_look_up_asks_once_for_each_value():
    """Equal values are asked for once, and each line has its own answer."""
    asked = []

    def make(key: bytes) -> str:
        asked.append(key)
        return key.decode() * 2

    values = np.array([b"b", b"a", b"b"]).view("V1")
    assert (texts(looked_up_column(values, make)), asked) == (["bb", "aa", "bb"], [b"b", b"a"])


def test_pieces_go_where_they_are_wanted():
    """A piece stands on the lines that its condition names, at its place in order."""
    lines = TextRows(2)
    lines.add("a")
    lines.add("-", decimal_column(np.array([7, 8], np.uint64)), where=np.array([False, True]))
    lines.add("\n")
    assert lines.text() == "a\na-8\n"


def test_piece_that_is_wanted_nowhere_is_left_out():
    """A condition that holds for no line adds nothing."""
    lines = TextRows(2)
    lines.add("x", where=np.array([False, False]))
    lines.add("\n")
    assert lines.text() == "\n\n"
