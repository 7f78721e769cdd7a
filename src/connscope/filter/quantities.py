"""Numbers with their units, and the whole numbers of a column that they mean."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from fractions import Fraction

from connscope.filter.condition import Span
from connscope.filter.fields import Field, Takes

__all__ = ("QuantityError", "merged_spans", "percentage", "quantity_span", "range_parts")

NUMBER = re.compile(r"(\d{1,20}(?:\.\d{1,9})?)(.*)", re.ASCII | re.DOTALL)
BYTES = re.compile(r"(?:([kmgt])(i?))?b?", re.ASCII | re.IGNORECASE)
PREFIXES = {"k": 1, "m": 2, "g": 3, "t": 4}
NANOSECONDS = {
    "ns": 1,
    "us": 1000,
    "µs": 1000,
    "μs": 1000,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "min": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86400 * 10**9,
}
COLUMN_NANOSECONDS = {"_us": 1000, "_ns": 1}
"""What one is in a column whose name ends so."""
SHARE_BITS = 31


class QuantityError(ValueError):
    """The text is no such quantity; the message says what would be."""


def quantity_span(field: Field, name: str, operator: str, text: str, limit: int) -> Span | None:
    """The whole numbers that compare so to a quantity, or to the range ``low..high``.

    Args:
        field: tells the units.
        name: the field as somebody wrote it; the name of a column brings its unit along.
        operator: ``!=`` means the same as ``=``.
        text: the quantity or the range.
        limit: the highest number that there can be.

    Returns:
        None if no number does.

    Raises:
        QuantityError: it is no such quantity.
    """
    low_text, high_text = range_parts(text)
    if high_text is None:
        value = _quantity(field, name, low_text)
        low, high = _bounds(operator, value, limit)
    else:
        if operator not in (":", "=", "!="):
            raise QuantityError(f"{operator} takes one number, a range goes with :")
        first = _quantity(field, name, low_text) if low_text else Fraction(0)
        last = _quantity(field, name, high_text) if high_text else Fraction(limit)
        if first > last and high_text:
            raise QuantityError("the first number of a range is the lower one")
        low, high = math.ceil(first), math.floor(last)
    high = min(high, limit)
    return (low, high) if low <= high else None


def range_parts(text: str) -> tuple[str, str | None]:
    """Both ends of a range, of which one may be empty; the text and None if it is none.

    Raises:
        QuantityError: both ends are missing.
    """
    low, dots, high = text.partition("..")
    if dots and not low and not high:
        raise QuantityError("a range has a number before or behind its dots")
    return low, high if dots else None


def merged_spans(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same numbers in as few spans as possible, in rising order."""
    merged = list[Span]()
    for low, high in sorted(spans):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(merged[-1][1], high)
        else:
            merged.append((low, high))
    return tuple(merged)


def percentage(text: str) -> Fraction:
    """The share that ``5%`` is.

    Raises:
        QuantityError: it is none, or too fine to be compared without rounding.
    """
    number = NUMBER.fullmatch(text)
    if not number or number[2] != "%":
        raise QuantityError(f"{text!r} is no share: write 5%")
    share = Fraction(number[1]) / 100
    if max(share.numerator, share.denominator) >> SHARE_BITS:
        raise QuantityError(f"{text!r} has more digits than a share can have here")
    return share


def _bounds(operator: str, value: Fraction, limit: int) -> Span:
    if operator == "<":
        return 0, math.ceil(value) - 1
    if operator == "<=":
        return 0, math.floor(value)
    if operator == ">":
        return math.floor(value) + 1, limit
    return math.ceil(value), limit if operator == ">=" else math.floor(value)


def _quantity(field: Field, name: str, text: str) -> Fraction:
    """In units of the column."""
    number = NUMBER.fullmatch(text)
    scale = _scale(field, name, number[2], zero=not Fraction(number[1])) if number else None
    if not number or scale is None:
        raise QuantityError(f"{field.name} is {field.takes.value}, not {text!r}")
    return Fraction(number[1]) * scale


def _scale(field: Field, name: str, unit: str, *, zero: bool) -> Fraction | None:
    """How many units of the column a unit is; None if it is none."""
    if field.takes in (Takes.TIME, Takes.AGE):
        column_ns = COLUMN_NANOSECONDS[field.column[-3:]]
        bare_ns = column_ns if zero or name.lower() in field.aliases else None
        unit_ns = NANOSECONDS.get(unit) if unit else bare_ns
        return Fraction(unit_ns, column_ns) if unit_ns else None
    if field.takes is Takes.BYTES:
        found = BYTES.fullmatch(unit)
        return _bytes_scale(found[1], binary=bool(found[2])) if found else None
    return None if unit else Fraction(1)


def _bytes_scale(prefix: str | None, *, binary: bool) -> Fraction:
    base = 1024 if binary else 1000
    return Fraction(base ** PREFIXES[prefix.lower()] if prefix else 1)
