"""The terms of a filter: fields with what they shall be, flags, and plain words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connscope.errors import UsageError
from connscope.filter.batch import Batch, Mask
from connscope.filter.condition import (
    NOTHING,
    Among,
    AnyOf,
    Condition,
    Knows,
    Not,
    Sql,
    every,
    some,
)
from connscope.filter.fields import BY_NAME, FIELDS, Field, Takes, find_field
from connscope.filter.flags import FLAGS
from connscope.filter.pattern import Pattern
from connscope.filter.text_condition import ADDRESS_COLUMNS, InNetwork, Matches
from connscope.filter.values import Test, Value, WrongValueError, make_test, words_test
from connscope.row.address import parse_network
from connscope.row.words import Group, Role

__all__ = (
    "FLAG_FIELD",
    "Term",
    "expression_term",
    "field_term",
    "is_field",
    "pattern_term",
    "unknown_field",
    "word_term",
)

FLAG_FIELD = "is"
WORDS_IN_A_ROW = ("kind", "proto", "state", "role", "failed", "closed_by", "error")
"""The fields whose words a plain word is looked for in."""
NUMBERS_IN_A_ROW = ("port", "pid")
DIGITS = frozenset("0123456789")
ADDRESS_CHARACTERS = DIGITS | frozenset("abcdef.:")


@dataclass(frozen=True, slots=True)
class Term:
    """One term.

    Attributes:
        text: as the language writes it.
        condition: what it means.
    """

    text: str
    condition: Condition

    @property
    def slow(self) -> bool:
        """If the condition is."""
        return self.condition.slow

    def mask(self, batch: Batch) -> Mask:
        """Of which rows it holds."""
        return self.condition.mask(batch)

    def sql(self, sql: Sql) -> str:
        """What the condition is in SQL."""
        return self.condition.sql(sql)


@dataclass(frozen=True, slots=True)
class _Place:
    """A column that a field means, and when it does."""

    known: Condition
    column: str


def is_field(name: str) -> bool:
    """If the language has such a field."""
    return name.lower() == FLAG_FIELD or find_field(name)[1] is not None


def unknown_field(name: str, position: int) -> WrongValueError:
    """What is to be said of a field that the language has not."""
    known = ", ".join((*(each.name for each in FIELDS), FLAG_FIELD))
    reason = f'there is no field {name!r} here; there are: {known}; a word with a sign goes into ""'
    return WrongValueError(position, reason)


def field_term(
    name: str,
    position: int,
    operator: str,
    values: Sequence[Value],
    flags: Mapping[str, Condition] = FLAGS,
) -> Condition:
    """A field compared to values, by any operator but ``~``; of `flags` is what ``is`` takes.

    Raises:
        WrongValueError: the field is unknown here, or a value is wrong.
    """
    if name.lower() == FLAG_FIELD:
        return _flags(position, operator, values, flags)
    field, places = _places(name, position)
    known = some(*(place.known for place in places))
    if (
        operator in (":", "!=")
        and len(values) == 1
        and values[0].text == "*"
        and values[0].has_wildcard
    ):
        return known if operator == ":" else NOTHING
    condition = _at_places(places, make_test(field, name, operator, values))
    return every(known, Not(condition)) if operator == "!=" else condition


def expression_term(name: str, position: int, pattern: Pattern) -> Condition:
    """A field in whose text a pattern is.

    Raises:
        WrongValueError: the field is unknown here, or is no text.
    """
    field, places = _places(name, position)
    if field.takes is Takes.WORD:
        return _at_places(places, words_test(field, pattern))
    if field.takes not in (Takes.TEXT, Takes.ADDRESS, Takes.NUMBER):
        raise WrongValueError(
            position, f"{field.name} is no text: write {field.name}> or {field.name}<"
        )
    return _at_places(places, lambda column: Matches(column, pattern))


def word_term(value: Value, pattern: Pattern) -> Condition:
    """A plain word: somewhere in what a row shows. A network: either end lies in it."""
    if "/" in value.text and not value.literal:
        try:
            network = parse_network(value.text)
        except UsageError:
            pass
        else:
            return every(
                Knows(Group.ENDS), some(*(InNetwork(column, network) for column in ADDRESS_COLUMNS))
            )
    characters = frozenset(value.text.lower()) - (frozenset() if value.literal else {"*"})
    return _shown(
        pattern,
        in_numbers=characters <= DIGITS,
        in_addresses=characters <= ADDRESS_CHARACTERS,
    )


def pattern_term(pattern: Pattern) -> Condition:
    """A regular expression: somewhere in what a row shows."""
    return _shown(pattern, in_numbers=True, in_addresses=True)


def _shown(pattern: Pattern, *, in_numbers: bool, in_addresses: bool) -> Condition:
    """The pattern is in a text, a number or a word of the row."""
    names = ["proc", *(NUMBERS_IN_A_ROW if in_numbers else ()), *(["ip"] if in_addresses else ())]
    found = list[Condition]()
    for name in names:
        _, places = _places(name, 0)
        found.append(_at_places(places, lambda column: Matches(column, pattern)))
    for name in WORDS_IN_A_ROW:
        field = BY_NAME[name]
        condition = words_test(field, pattern)(field.column)
        if isinstance(condition, Among) and condition.spans:
            found.append(every(field.known, condition))
    return AnyOf(tuple(found))


def _at_places(places: Sequence[_Place], test: Test) -> Condition:
    return some(*(every(place.known, test(place.column)) for place in places))


def _places(name: str, position: int) -> tuple[Field, list[_Place]]:
    """Where a row has what a name means."""
    prefix, field = find_field(name)
    if field is None:
        raise unknown_field(name, position)
    if not prefix:
        columns = (field.column, field.peer_column) if field.peer_column else (field.column,)
        return field, [_Place(field.known, column) for column in columns]
    if not field.of_an_end:
        ends = ", ".join(each.name for each in FIELDS if each.of_an_end)
        raise WrongValueError(position, f"{prefix}. goes before {ends}, not before {field.name}")
    places = _places_of_end(field, prefix)
    if not places:
        reason = f"a row has no {field.name} of the other end: write local.{field.name}"
        raise WrongValueError(position, reason)
    return field, places


def _places_of_end(field: Field, prefix: str) -> list[_Place]:
    local, peer = _Place(field.known, field.column), _Place(field.known, field.peer_column)
    if prefix in ("local", "remote", "peer"):
        places = [local if prefix == "local" else peer]
    else:
        own, other = (
            (Role.CLIENT, Role.SERVER) if prefix == "client" else (Role.SERVER, Role.CLIENT)
        )
        places = [
            _Place(every(Among("role", ((role.value, role.value),)), place.known), place.column)
            for role, place in ((own, local), (other, peer))
        ]
    return [place for place in places if place.column]


def _flags(
    position: int, operator: str, values: Sequence[Value], flags: Mapping[str, Condition]
) -> Condition:
    if operator not in (":", "=", "!="):
        raise WrongValueError(position, f"{FLAG_FIELD} takes no {operator}: write is:failed")
    conditions = list[Condition]()
    for value in values:
        condition = flags.get(value.text.lower())
        if condition is None:
            reason = f"there is no flag {value.text!r} here; there are: {', '.join(flags)}"
            raise WrongValueError(value.position, reason)
        conditions.append(condition)
    found = some(*conditions)
    return Not(found) if operator == "!=" else found
