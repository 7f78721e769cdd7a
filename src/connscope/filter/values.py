"""What stands after an operator, as a test of a column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from connscope.errors import UsageError
from connscope.filter.condition import Among, Condition, column_limit, every, some
from connscope.filter.fields import ERRORS, Field, Takes
from connscope.filter.number_condition import Age, Share, ShareBound
from connscope.filter.pattern import Pattern
from connscope.filter.pattern_syntax import PatternError, parse_expression, parse_wildcards
from connscope.filter.quantities import (
    QuantityError,
    merged_spans,
    percentage,
    quantity_span,
    range_parts,
)
from connscope.filter.text_condition import Equals, InNetwork, Matches
from connscope.row.address import parse_network

__all__ = (
    "Test",
    "Value",
    "WrongValueError",
    "make_expression",
    "make_test",
    "make_wildcards",
    "words_test",
)

Test = Callable[[str], Condition]
"""Makes the condition that a column passes."""

COMM_BYTES = 15
"""What the kernel keeps of a name."""
ORDERS = ("<", "<=", ">", ">=")
SEGMENTS = "segments_sent"
"""What retransmits are a share of."""
SHARE_BOUNDS: dict[str, ShareBound] = {
    ":": "=", "=": "=", "<": "<", "<=": "<=", ">": ">", ">=": ">=",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a list.

    Attributes:
        text: without quotes.
        position: where it begins in the filter.
        literal: it was quoted: a ``*`` is just a character.
    """

    text: str
    position: int
    literal: bool = False

    @property
    def has_wildcard(self) -> bool:
        """If some ``*`` stands for anything."""
        return "*" in self.text and not self.literal


class WrongValueError(ValueError):
    """A value is wrong at a position of the filter."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(reason)
        self.position = position
        self.reason = reason


def make_test(field: Field, name: str, operator: str, values: Sequence[Value]) -> Test:
    """A test that holds if any value does; ``!=`` makes the same as ``=``.

    Args:
        field: what the values are for.
        name: the field as somebody wrote it; the name of a column brings its unit along.
        operator: any but ``~``.
        values: at least one.

    Raises:
        WrongValueError: a value is wrong.
    """
    if operator in ORDERS:
        if field.takes in (Takes.WORD, Takes.TEXT, Takes.ADDRESS):
            reason = f"{field.name} has no order: write {field.name}: or {field.name}="
            raise WrongValueError(values[0].position, reason)
        if len(values) > 1:
            raise WrongValueError(
                values[1].position, f"{operator} takes one value, a list goes with :"
            )
    tests = [_one_test(field, name, operator, value) for value in values]
    if all(isinstance(test, _Numbers) for test in tests):
        spans = [span for test in tests if isinstance(test, _Numbers) for span in test.spans]
        return _Numbers(field.takes, merged_spans(spans))
    return lambda column: some(*(test(column) for test in tests))


@dataclass(frozen=True, slots=True)
class _Numbers:
    """The test of a column that has numbers."""

    takes: Takes
    spans: tuple[tuple[int, int], ...]

    def __call__(self, column: str) -> Condition:
        return (Age if self.takes is Takes.AGE else Among)(column, self.spans)


def _one_test(field: Field, name: str, operator: str, value: Value) -> Test:
    if field.takes is Takes.TEXT:
        return _text_test(operator, value)
    if field.takes is Takes.ADDRESS:
        return _address_test(operator, value)
    if field.takes is Takes.WORD:
        return _word_test(field, operator, value)
    if field.takes is Takes.NUMBER and operator != "=" and value.has_wildcard:
        pattern = make_wildcards(value, whole=True)
        return lambda column: Matches(column, pattern)
    if field.takes is Takes.COUNT_OR_SHARE and "%" in value.text:
        return _share_test(operator, value)
    limit = column_limit(field.column)
    try:
        span = quantity_span(field, name, operator, value.text, limit)
    except QuantityError as error:
        raise WrongValueError(value.position, str(error)) from error
    return _Numbers(field.takes, (span,) if span else ())


def _text_test(operator: str, value: Value) -> Test:
    if operator == ":" and value.has_wildcard:
        pattern = make_wildcards(value)
        return lambda column: Matches(column, pattern)
    kept = value.text.encode(errors="replace")[:COMM_BYTES].decode(errors="ignore")
    if operator == ":":
        pattern = make_wildcards(Value(kept, value.position, literal=True))
        return lambda column: Matches(column, pattern)
    return lambda column: Equals(column, kept)


def _address_test(operator: str, value: Value) -> Test:
    if operator != "=" and value.has_wildcard:
        pattern = make_wildcards(value, whole=True)
        return lambda column: Matches(column, pattern)
    try:
        network = parse_network(value.text)
    except UsageError as error:
        raise WrongValueError(value.position, f"{error}, or 10.0.*") from error
    return lambda column: InNetwork(column, network)


def _word_test(field: Field, operator: str, value: Value) -> Test:
    small = value.text.lower()
    if operator != "=" and value.has_wildcard:
        return words_test(field, make_wildcards(value, whole=True))
    if small.isascii() and small.isdecimal() and len(small) <= len(str(column_limit(field.column))):
        number = int(small)
    else:
        number = {word.lower(): number for word, number in field.words.items()}.get(small, -1)
    if not 0 <= number <= column_limit(field.column):
        known = "an errno, such as ECONNREFUSED or 111"
        if field.words is not ERRORS:
            known = f"one of {', '.join(field.words)}"
        raise WrongValueError(value.position, f"{field.name} is {known}, not {value.text!r}")
    return _Numbers(field.takes, ((number, number),))


def words_test(field: Field, pattern: Pattern) -> Test:
    """Which of the field's words the pattern is in."""
    found = (number for word, number in field.words.items() if pattern.found_in(word))
    return _Numbers(field.takes, merged_spans([(number, number) for number in found]))


def _share_test(operator: str, value: Value) -> Test:
    if operator == "!=":
        raise WrongValueError(value.position, "a share is compared by < or >, or lies in a range")
    try:
        bounds = _share_bounds(operator, value.text)
    except QuantityError as error:
        raise WrongValueError(value.position, str(error)) from error
    return lambda column: every(*(Share(column, SEGMENTS, *bound) for bound in bounds))


def _share_bounds(operator: str, text: str) -> list[tuple[ShareBound, Fraction]]:
    low, high = range_parts(text)
    if high is None:
        return [(SHARE_BOUNDS[operator], percentage(low))]
    if operator in ORDERS:
        raise QuantityError(f"{operator} takes one share, a range goes with :")
    bounds = list[tuple[ShareBound, Fraction]]()
    if low:
        bounds.append((">=", percentage(low)))
    if high:
        bounds.append(("<=", percentage(high)))
    return bounds


def make_wildcards(value: Value, *, whole: bool = False) -> Pattern:
    """The pattern of a word.

    Raises:
        WrongValueError: it is too long.
    """
    try:
        return Pattern(parse_wildcards(value.text, literal=value.literal, whole=whole))
    except PatternError as error:
        raise WrongValueError(value.position, error.reason) from error


def make_expression(text: str, position: int, *, ignore_case: bool) -> Pattern:
    """The pattern of a regular expression.

    Raises:
        WrongValueError: it is none.
    """
    try:
        return Pattern(parse_expression(text, ignore_case=ignore_case))
    except PatternError as error:
        raise WrongValueError(position + error.position, error.reason) from error
