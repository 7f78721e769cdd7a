"""Lines made column by column."""

from __future__ import annotations

import numpy as np

from connscope.row.text_rows import TextRows, looked_up_column
from tests.unit.row.column_texts import column_texts


def test_look_up_asks_once_for_each_value():
    """Equal values are asked for once, and each line has its own answer."""
    asked = []

    def make(key: bytes) -> str:
        asked.append(key)
        return key.decode() * 2

    values = np.array([b"b", b"a", b"b"]).view("V1")
    found = column_texts(looked_up_column(values, make), 3)
    assert (found, asked) == (["bb", "aa", "bb"], [b"b", b"a"])


def test_pieces_go_where_they_are_wanted():
    """A piece stands on the lines that its condition names, at its place in order."""
    lines = TextRows(2)
    lines.add("a")
    lines.add("-", np.array([[b"7"], [b"8"]]).view(np.uint8), where=np.array([False, True]))
    lines.add("\n")
    assert lines.text() == "a\na-8\n"


def test_piece_that_is_wanted_nowhere_is_left_out():
    """A condition that holds for no line adds nothing, told for all lines or for each."""
    lines = TextRows(2)
    lines.add("x", where=np.array([False, False]))
    lines.add("y", where=False)
    lines.add("\n")
    assert lines.text() == "\n\n"
