"""``is:own``: what no row says, whoever asks has to."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given

from connscope.filter import FilterError, parse
from connscope.row.columns import ROW, Rows
from tests.unit.sample_rows import any_rows


def own_of(rows: Rows) -> npt.NDArray[np.bool_]:
    """Some of them."""
    own: npt.NDArray[np.bool_] = np.arange(len(rows)) % 3 == 0
    return own


@given(any_rows())
def test_holds_for_what_is_own(rows: Rows):
    """Exactly for those of which it is said."""
    own = own_of(rows)
    assert parse("is:own", own=True).mask(rows, now_ns=0, own=own).tolist() == own.tolist()


@given(any_rows())
def test_its_negation_is_the_rest(rows: Rows):
    """The same with ``-`` and with ``!=``."""
    own = own_of(rows)
    for text in ("-is:own", "is!=own"):
        assert parse(text, own=True).mask(rows, now_ns=0, own=own).tolist() == (~own).tolist()


@given(any_rows())
def test_holds_for_what_others_leave(rows: Rows):
    """Beside terms of which the slow ones are asked of fewer rows."""
    own = own_of(rows)
    others = parse("pid<1000000 curl").mask(rows, now_ns=0)
    both = parse("pid<1000000 curl is:own", own=True).mask(rows, now_ns=0, own=own)
    assert both.tolist() == (others & own).tolist()


def test_a_filter_is_left_as_it_was():
    """What is own is read, never written to."""
    own = np.ones(3, np.bool_)
    rows = np.zeros(3, ROW)
    parse("is:own", own=True).mask(rows, now_ns=0, own=own)[:] = False
    assert own.all()


def test_it_is_an_error_where_nobody_knows():
    """In a terminal a filter that can not mean anything is refused."""
    with pytest.raises(FilterError, match="no flag 'own' here"):
        parse("is:own")


@pytest.mark.parametrize(
    ("text", "asks"),
    [("is:own", True), ("a or -(b is:own)", True), ("is:failed", False), ('"is:own"', False)],
)
def test_says_if_it_asks_for_own(text: str, asks: bool):
    """Wherever the word stands, and only as a word of the language."""
    assert parse(text, own=True).asks_own is asks
