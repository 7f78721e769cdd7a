"""Cells of tables."""

from __future__ import annotations

import pytest

from connscope.cli.cells import aligned, padded, text_width


@pytest.mark.parametrize(
    ("text", "width"), [("curl", 4), ("日本", 4), ("ａ", 2), ("e\u0301", 1), ("é", 1), ("", 0)]
)
def test_width_is_that_of_a_terminal(text: str, width: int):
    """Wide letters take two columns, accents of their own none."""
    assert text_width(text) == width


@pytest.mark.parametrize(
    ("text", "width", "cell"),
    [
        ("ab", 4, "  ab"),
        ("ab", -4, "ab  "),
        ("日", 4, "  日"),
        ("日", -4, "日  "),
        ("abc", 2, "abc"),
    ],
)
def test_padding(text: str, width: int, cell: str):
    """To the right for a positive width, to the left for a negative one."""
    assert padded(text, width) == cell


@pytest.mark.parametrize("width", [6, -6])
@pytest.mark.parametrize("texts", [["ab", "", "abcdefgh"], ["ab", "日本", "e\u0301"], []])
def test_aligned_is_each_padded(texts: list[str], width: int):
    """Also where only some have letters that are wide or none."""
    assert aligned(texts, width) == [padded(text, width) for text in texts]
