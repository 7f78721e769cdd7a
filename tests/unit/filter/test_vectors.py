"""The vectors that the implementation in TypeScript shares, for both ways of asking."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connscope.filter import FilterError, parse
from connscope.filter.fields import FIELDS
from connscope.filter.flags import FLAGS
from tests.unit.filter.json_rows import boot_ns, row_of, sql_mask

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "filter.json").read_text())
ROWS = np.concatenate([row_of(row) for row in VECTORS["rows"]])
NOW_NS = boot_ns(VECTORS["now"])
MATCHING = [case for case in VECTORS["filters"] if "matches" in case]
WRONG = [case for case in VECTORS["filters"] if "error_at" in case]


def text_of(case: Any) -> str:
    """The name of a test."""
    return str(case["filter"])


@pytest.mark.parametrize("case", MATCHING, ids=text_of)
def test_rows_match(case):
    """NumPy finds the rows of the vector."""
    mask = parse(case["filter"]).mask(ROWS, now_ns=NOW_NS)
    assert np.flatnonzero(mask).tolist() == case["matches"]


@pytest.mark.parametrize("case", MATCHING, ids=text_of)
def test_rows_match_in_sql(case):
    """SQL finds the rows of the vector."""
    mask = sql_mask(parse(case["filter"]), ROWS, NOW_NS)
    assert np.flatnonzero(mask).tolist() == case["matches"]


@pytest.mark.parametrize("case", MATCHING, ids=text_of)
def test_text_is_the_same_filter(case):
    """The text of a filter is that filter again."""
    wanted = parse(case["filter"])
    assert parse(str(wanted)) == wanted


@pytest.mark.parametrize("case", MATCHING, ids=text_of)
def test_typing_finds_nothing_unfinished(case):
    """What is right has the same meaning while somebody types."""
    assert parse(case["filter"], unfinished="ignore") == parse(case["filter"])


@pytest.mark.parametrize("case", WRONG, ids=text_of)
def test_error_has_its_place(case):
    """What is wrong is an error at the position of the vector."""
    with pytest.raises(FilterError) as caught:
        parse(case["filter"])
    assert caught.value.position == case["error_at"]


@pytest.mark.parametrize("case", VECTORS["typing"], ids=text_of)
def test_unfinished_has_no_effect(case):
    """While somebody types, what is unfinished is left out, and told."""
    wanted = parse(case["filter"], unfinished="ignore")
    assert np.flatnonzero(wanted.mask(ROWS, now_ns=NOW_NS)).tolist() == case["matches"]
    spans = sorted([each.start, each.end] for each in wanted.ignored)
    assert spans == sorted(case["ignored"])


def test_every_field_has_a_vector():
    """No field or flag is without a vector that matches something."""
    texts = " ".join(case["filter"] for case in MATCHING if case["matches"])
    assert [field.name for field in FIELDS if f"{field.name}" not in texts] == []
    assert [flag for flag in FLAGS if f"is:{flag}" not in texts] == []
