"""What filters mean, against a judge that looks at one row after the other."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.filter import Filter, FilterError, parse
from connscope.row.columns import ROW, Rows, lost_row
from connscope.row.json_lines import json_lines
from tests.unit.filter.json_rows import sql_mask, within_sqlite
from tests.unit.filter.oracle import NOW_NS, Drawn, filters, rows_of_oracle
from tests.unit.sample_rows import any_rows, one_row, sensible_rows


def judged(drawn: Drawn, rows: Rows) -> list[bool]:
    """What the judge says of each row."""
    found: list[dict[str, Any]] = list(map(json.loads, json_lines(rows, 0).splitlines()))
    for row, opened_ns in zip(found, rows["opened_ns"].tolist(), strict=True):
        row["opened_ns"] = opened_ns
    return [drawn.judge(row) for row in found]


@given(filters(), rows_of_oracle())
def test_mask_agrees_with_looking_at_each_row(drawn: Drawn, rows: Rows):
    """Exactly those rows match of which the judge says so."""
    assert parse(drawn.text).mask(rows, now_ns=NOW_NS).tolist() == judged(drawn, rows)


@given(filters(), rows_of_oracle())
def test_sql_agrees_with_looking_at_each_row(drawn: Drawn, rows: Rows):
    """The same in SQL."""
    assert sql_mask(parse(drawn.text), rows, NOW_NS) == judged(drawn, rows)


@given(filters(), sensible_rows() | any_rows())
def test_sql_agrees_with_mask(drawn: Drawn, rows: Rows):
    """NumPy and SQL agree on rows with anything in them."""
    wanted, rows = parse(drawn.text), within_sqlite(rows)
    assert sql_mask(wanted, rows, NOW_NS) == wanted.mask(rows, now_ns=NOW_NS).tolist()


@given(filters())
def test_text_is_the_same_filter(drawn: Drawn):
    """The text of a filter is that filter again, and stays as it is."""
    wanted = parse(drawn.text)
    assert parse(str(wanted)) == wanted
    assert str(parse(str(wanted))) == str(wanted)


@given(filters())
def test_each_question_mark_has_a_parameter(drawn: Drawn):
    """There are as many parameters as question marks."""
    expression, parameters = parse(drawn.text).sql(now_ns=NOW_NS)
    assert expression.count("?") == len(parameters)


@given(st.text("'\";?-xX"))
def test_sql_has_no_text_of_the_user(word: str):
    """Whatever somebody searches for, the expression is that of any other word."""
    quoted = word.replace('"', '\\"')
    other = parse('"zzzz"').sql(now_ns=1)
    assert parse(f'"zz{quoted}"').sql(now_ns=1)[0] == other[0]


@pytest.mark.parametrize("text", ["", "nginx", "port:80 or -rtt>1s", "age<1s"])
def test_no_rows(text: str):
    """Of no rows none match."""
    assert parse(text).mask(np.zeros(0, ROW), now_ns=1).tolist() == []


@pytest.mark.parametrize("text", ["proc:nginx", "port:80", "nginx"])
def test_null_is_unknown_in_sql(text: str):
    """A column that is NULL matches nothing, and the opposite of it."""
    wanted, opposite = parse(text), parse(f"-({text})")
    assert null_row_matches(wanted) is False
    assert null_row_matches(opposite) is True


def null_row_matches(wanted: Filter) -> bool:
    """If a row that is NULL all over matches in SQL."""
    return sql_mask(wanted, np.zeros(1, ROW), 1, null=True) == [True]


def test_lost_row_is_like_any_other():
    """Whoever filters decides what becomes of rows that say that others are missing."""
    assert parse("proc:nginx").mask(lost_row(3, 1, 1), now_ns=1).tolist() == [False]


def test_fewer_rows_are_asked_for_texts():
    """Slow conditions see the rows that fast ones left, and their answers find their place."""
    rows = np.concatenate([one_row(pid=pid, comm=b"ab"[pid % 2 :]) for pid in range(1, 7)])
    mask = parse("proc=b pid>2").mask(rows, now_ns=1)
    assert mask.tolist() == [False, False, True, False, True, False]


def test_message_points_at_the_place():
    """The message has the reason, the text and a caret."""
    with pytest.raises(FilterError) as caught:
        parse("nginx rtt>5")
    assert str(caught.value) == (
        "rtt is a time with its unit, such as 200ms or 2h, not '5'\n  nginx rtt>5\n            ^"
    )
