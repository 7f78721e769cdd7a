"""docs/filter.md says what is so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from connscope.filter import FilterError, parse
from connscope.filter.fields import FIELDS
from connscope.filter.flags import FLAGS_WITH_OWN
from connscope.filter.parser import DEPTH_AT_MOST, LENGTH_AT_MOST, TERMS_AT_MOST
from connscope.filter.pattern import STEPS_AT_MOST

PAGE = (Path(__file__).parents[3] / "docs" / "filter.md").read_text()
EXAMPLE = re.compile(r"\| `(.+?)` \| ")
CODE = re.compile(r"`([^`]+)`")


def examples(title: str) -> Iterator[str]:
    """The first cell of each line of the tables whose first column has the title."""
    for table in PAGE.split("\n\n"):
        if table.startswith(f"| {title} |"):
            found = [EXAMPLE.match(line) for line in table.splitlines()[2:]]
            yield from (line[1].replace("\\|", "|") for line in found if line)


RIGHT = [*examples("you write"), *examples("flag")]
WRONG = list(examples("not this"))


def test_there_are_examples():
    """The other tests do not pass for want of examples."""
    assert len(RIGHT) >= 25
    assert len(WRONG) == 5


@pytest.mark.parametrize("text", RIGHT)
def test_example_is_a_filter(text: str):
    """What the page tells people to write is right."""
    wanted = parse(text, own=True)
    assert parse(str(wanted), own=True) == wanted


@pytest.mark.parametrize("text", WRONG)
def test_wrong_example_is_an_error(text: str):
    """What the page tells people not to write is wrong."""
    with pytest.raises(FilterError):
        parse(text)


def test_every_field_is_on_the_page():
    """Fields, the columns that they are called by too, and flags."""
    named = set(CODE.findall(PAGE))
    assert [field.name for field in FIELDS if field.name not in named] == []
    assert [name for field in FIELDS for name in field.aliases if name not in named] == []
    assert [flag for flag in FLAGS_WITH_OWN if f"is:{flag}" not in named] == []


def test_bounds_are_on_the_page():
    """The numbers are those of the parser."""
    end = " ".join(PAGE.split())
    assert f"{LENGTH_AT_MOST} characters, {TERMS_AT_MOST} terms" in end
    assert f"{DEPTH_AT_MOST} parentheses" in end
    assert f"{STEPS_AT_MOST} steps" in end
