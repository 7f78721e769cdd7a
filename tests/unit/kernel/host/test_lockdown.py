"""How far the kernel is locked down."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.kernel.host.lockdown import parse_lockdown, read_lockdown


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ("[none] integrity confidentiality\n", "none"),
        ("none [integrity] confidentiality\n", "integrity"),
        ("none integrity [confidentiality]\n", "confidentiality"),
        ("", ""),
    ],
)
def test_word_in_brackets_counts(text: str, chosen: str) -> None:
    """The others are the choices."""
    assert parse_lockdown(text) == chosen


@given(st.text(alphabet="[]noneitgrycfdal \n"))
def test_any_text_gives_one_of_four(text: str) -> None:
    """A level, or nothing."""
    assert parse_lockdown(text) in ("", "none", "integrity", "confidentiality")


def test_this_machine_has_a_level_or_does_not_tell() -> None:
    """Reading it needs no rights and never fails."""
    assert read_lockdown() in ("", "none", "integrity", "confidentiality")
