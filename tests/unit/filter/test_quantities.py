"""Numbers with units, against fractions."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.filter.fields import BY_NAME
from connscope.filter.quantities import (
    QuantityError,
    merged_spans,
    percentage,
    quantity_span,
    range_parts,
)

LIMIT = 1 << 40
SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5)).map(lambda x: (x[0], sum(x))))
HOLDS = {
    ":": lambda number, wanted: number == wanted,
    "!=": lambda number, wanted: number == wanted,
    "<": lambda number, wanted: number < wanted,
    "<=": lambda number, wanted: number <= wanted,
    ">": lambda number, wanted: number > wanted,
    ">=": lambda number, wanted: number >= wanted,
}


@pytest.mark.parametrize("operator", HOLDS)
@given(value=st.decimals(0, 20, places=1), number=st.integers(0, 25_000))
def test_span_has_the_numbers_that_compare_so(operator: str, value, number: int):
    """No rounding: 0.5ms is 500 of a column of microseconds."""
    span = quantity_span(BY_NAME["rtt"], "rtt", operator, f"{value}ms", LIMIT)
    wanted = Fraction(value) * 1000
    assert (span is not None and span[0] <= number <= span[1]) is HOLDS[operator](number, wanted)


@pytest.mark.parametrize(
    ("name", "text", "number"),
    [
        ("tx", "1", 1), ("tx", "1B", 1), ("tx", "1k", 10**3), ("tx", "1kB", 10**3),
        ("tx", "1KB", 10**3), ("tx", "2M", 2 * 10**6), ("tx", "1.5GB", 15 * 10**8),
        ("tx", "1Ti", 1 << 40), ("tx", "1KiB", 1 << 10), ("tx", "0.5mib", 1 << 19),
        ("rtt", "1us", 1), ("rtt", "1µs", 1), ("rtt", "1ms", 10**3), ("rtt", "2s", 2 * 10**6),
        ("rtt_us", "7", 7), ("rtt_us", "7ms", 7000), ("rtt", "0", 0),
        ("age", "1ns", 1), ("age", "1m", 60 * 10**9), ("age", "1min", 60 * 10**9),
        ("age", "0.1s", 10**8), ("pid", "1", 1), ("pid", "1.0", 1),
    ],
)  # fmt: skip
def test_units(name: str, text: str, number: int):
    """k is 1000, Ki is 1024, times come in the unit of the column."""
    assert quantity_span(BY_NAME[name], name, ":", text, LIMIT) == (number, number)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tx", "1q"), ("tx", "1kk"), ("tx", "1MB/s"), ("tx", "-1"), ("tx", ""), ("tx", "1e3"),
        ("rtt", "1"), ("rtt", "1M"), ("rtt", "ms"), ("rtt_var", "1"), ("pid", "1k"), ("pid", "٣"),
        ("pid", "1" * 21), ("pid", "1..x"), ("pid", "1..2..3"), ("pid", "2..1"), ("pid", ".."),
    ],
)  # fmt: skip
def test_no_quantity(name: str, text: str):
    """What is no number with a unit of the field is an error."""
    with pytest.raises(QuantityError):
        quantity_span(BY_NAME[name], name, ":", text, LIMIT)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("3..5", (3, 5)), ("..5", (0, 5)), ("5..", (5, LIMIT)), ("0.5..2.5", (1, 2)),
        ("0.2..0.8", None), (f"{LIMIT + 1}..", None), (f"1..{LIMIT * 2}", (1, LIMIT)),
        (str(LIMIT + 1), None),
    ],
)  # fmt: skip
def test_ranges(text: str, span: tuple[int, int] | None):
    """Both ends belong to a range; beyond what a column can hold there is nothing."""
    assert quantity_span(BY_NAME["pid"], "pid", ":", text, LIMIT) == span


@given(SPANS)
def test_merged_spans_have_the_same_numbers(spans):
    """Apart from each other, in order, and nothing is lost or added."""
    merged = merged_spans(spans)
    numbers = {number for low, high in spans for number in range(low, high + 1)}
    assert [number for low, high in merged for number in range(low, high + 1)] == sorted(numbers)
    assert all(high + 1 < low for (_, high), (low, _) in pairwise(merged))


@pytest.mark.parametrize(("text", "share"), [("5%", Fraction(1, 20)), ("0.1%", Fraction(1, 1000))])
def test_percentage(text: str, share: Fraction):
    """A share is exact."""
    assert percentage(text) == share


@pytest.mark.parametrize("text", ["5", "%", "0.000000001%", "99999999999999999999%", "5%%"])
def test_no_percentage(text: str):
    """A share that products could not hold is an error like one that is none."""
    with pytest.raises(QuantityError):
        percentage(text)


def test_range_parts():
    """Without dots there is one part."""
    assert range_parts("1..2") == ("1", "2")
    assert range_parts("1") == ("1", None)
