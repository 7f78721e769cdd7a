"""From a text to the tree of its conditions, by recursive descent.

A complaint either ends it, or, while somebody is still typing, leaves out what it is about. Depth
is limited, so the recursion is too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from connscope.filter.condition import Condition, Not, every, some
from connscope.filter.error import FilterError
from connscope.filter.fields import find_field
from connscope.filter.flags import FLAGS
from connscope.filter.pattern import Pattern
from connscope.filter.scanner import MissingError, Piece, Scanner
from connscope.filter.terms import (
    Term,
    expression_term,
    field_term,
    is_field,
    pattern_term,
    unknown_field,
    word_term,
)
from connscope.filter.values import Value, WrongValueError, make_expression, make_wildcards

__all__ = ("Ignored", "Parser")

LENGTH_AT_MOST = 8192
DEPTH_AT_MOST = 50
TERMS_AT_MOST = 500
"""Terms, and values of lists. SQLite takes expressions of a thousand levels, other databases more.
"""

SURROGATES = re.compile("[\ud800-\udfff]")
"""What Python makes of bytes that are no UTF-8; no database takes them."""
SLASH = re.compile(r"\\.|/", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Ignored:
    """A part of the text that has no effect yet.

    Attributes:
        start, end: indices of its first character and of the one behind it.
        reason: what is wrong and what would be right, one line.
    """

    start: int
    end: int
    reason: str


class Parser:
    """Reads one filter.

    Args:
        text: of the filter.
        forgiving: notes a complaint in `ignored` and goes on.
        flags: what ``is`` takes.

    Attributes:
        ignored: what has no effect, in the order of the text.
    """

    def __init__(
        self, text: str, *, forgiving: bool, flags: Mapping[str, Condition] = FLAGS
    ) -> None:
        self._text = text
        self._flags = flags
        self._scanner = Scanner(SURROGATES.split(text[:LENGTH_AT_MOST], maxsplit=1)[0])
        self._forgiving = forgiving
        self._depth = 0
        self._terms = 0
        self.ignored = list[Ignored]()

    def parse(self) -> Condition:
        """The condition of the whole text; of an empty one: everything.

        Raises:
            FilterError: the text is no filter, and the parser does not forgive.
        """
        scanner = self._scanner
        if (end := len(scanner.text)) < len(self._text):
            reason = "a byte that is not UTF-8 is written as in JSON: \\xff"
            if end == LENGTH_AT_MOST:
                reason = f"a filter has at most {LENGTH_AT_MOST} characters"
            self._complain(end, reason, end=len(self._text))
        parts = [self._any_of()]
        while scanner.next():
            self._complain(scanner.at, "this ) closes nothing: quote it to search for it")
            scanner.at += 1
            parts.append(self._any_of())
        return every(*(part for part in parts if part is not None))

    def _complain(
        self, position: int, reason: str, *, start: int | None = None, end: int | None = None
    ) -> None:
        """Something is wrong at a position; without it the part from start to end has no effect."""
        if not self._forgiving:
            raise FilterError(self._text, position, reason)
        start = position if start is None else start
        self.ignored.append(Ignored(start, start + 1 if end is None else end, reason))

    def _any_of(self) -> Condition | None:
        """Conditions with ``or`` between them; None if there is none."""
        scanner = self._scanner
        parts = [self._all_of()]
        while scanner.keyword() == "or":
            begin = scanner.at
            if parts[-1] is None:
                self._complain(begin, "or stands between two conditions", end=begin + 2)
            scanner.at += 2
            parts.append(self._all_of())
            if parts[-1] is None and parts[-2] is not None:
                reason = "a condition is missing after or"
                self._complain(scanner.at, reason, start=begin, end=begin + 2)
        kept = [part for part in parts if part is not None]
        return some(*kept) if kept else None

    def _all_of(self) -> Condition | None:
        """Conditions one after the other, or with ``and`` between them; None if there is none."""
        scanner, written, parts = self._scanner, False, list[Condition]()
        while not self._at_end_of_all():
            begin = scanner.at
            if scanner.keyword() == "and":
                if not written:
                    self._complain(begin, "and stands between two conditions", end=begin + 3)
                scanner.at += 3
                if self._at_end_of_all() or scanner.keyword() == "and":
                    reason = "a condition is missing after and"
                    self._complain(scanner.at, reason, start=begin, end=begin + 3)
                continue
            part, written = self._negated(), True
            if part is not None:
                parts.append(part)
        return every(*parts) if parts else None

    def _at_end_of_all(self) -> bool:
        self._scanner.skip_spaces()
        return self._scanner.next() in ("", ")") or self._scanner.keyword() == "or"

    def _negated(self) -> Condition | None:
        """A condition with any number of ``-`` and ``not`` before it."""
        scanner, begin, count = self._scanner, self._scanner.at, 0
        while sign := "-" if scanner.next() == "-" else self._not():
            scanner.at += len(sign)
            scanner.skip_spaces()
            count += 1
        if count and (self._at_end_of_all() or scanner.keyword() == "and"):
            reason = "a condition is missing after not"
            self._complain(scanner.at, reason, start=begin, end=scanner.at)
            return None
        part = self._atom()
        if part is None or count % 2 == 0:
            return part
        return part.condition if isinstance(part, Not) else Not(part)

    def _not(self) -> str:
        return "not" if self._scanner.keyword() == "not" else ""

    def _atom(self) -> Condition | None:
        scanner, begin = self._scanner, self._scanner.at
        if scanner.next() == "(":
            return self._group()
        if not self._takes_another(begin):
            return None
        try:
            return self._term()
        except MissingError:
            closing = "quote" if scanner.next() == '"' else "slash"
            hint = 'write \\" for the character' if closing == "quote" else "quote a word with /"
            reason = f"the closing {closing} is missing: {hint}"
            self._ignore_rest(scanner.at, reason)
        except WrongValueError as problem:
            self._complain(problem.position, problem.reason, start=begin, end=scanner.at)
        return None

    def _takes_another(self, begin: int) -> bool:
        """Counts a term or a value; what is too many ends the text."""
        self._terms += 1
        if self._terms > TERMS_AT_MOST:
            reason = f"a filter has at most {TERMS_AT_MOST} terms and values"
            self._ignore_rest(begin, reason)
        return self._terms <= TERMS_AT_MOST

    def _ignore_rest(self, begin: int, reason: str) -> None:
        self._complain(begin, reason, end=len(self._scanner.text))
        self._scanner.at = len(self._scanner.text)

    def _group(self) -> Condition | None:
        scanner, begin = self._scanner, self._scanner.at
        scanner.at += 1
        self._depth += 1
        if self._depth > DEPTH_AT_MOST:
            reason = f"at most {DEPTH_AT_MOST} parentheses may be inside each other"
            self._ignore_rest(begin, reason)
            return None
        part = self._any_of()
        self._depth -= 1
        if part is None and scanner.next():
            reason = "a condition is missing between ( and )"
            self._complain(scanner.at, reason, start=begin, end=scanner.at + 1)
        if scanner.next():
            scanner.at += 1
        else:
            self._complain(begin, "this ( is never closed: quote it to search for it")
        return part

    def _term(self) -> Term | None:
        """A word, a quoted text, an expression, or a field with its value."""
        scanner, begin = self._scanner, self._scanner.at
        if scanner.next() == '"':
            value = Value((piece := scanner.quoted()).text, piece.position, literal=True)
            return Term(self._text[begin : scanner.at], word_term(value, make_wildcards(value)))
        if scanner.next() == "/":
            pattern = _pattern(scanner.expression())
            return Term(self._text[begin : scanner.at], pattern_term(pattern))
        if not scanner.is_address():
            name = scanner.head()
            if operator := scanner.operator(spaced=is_field(name)):
                return self._field(name, begin, operator)
            scanner.at = begin
        value = Value(scanner.run(), begin)
        return Term(value.text, word_term(value, make_wildcards(value)))

    def _field(self, name: str, begin: int, operator: str) -> Term:
        scanner = self._scanner
        if not name:
            scanner.run()
            raise WrongValueError(begin, f"before {operator} stands a field, such as port:443")
        small, value_begin = name.lower(), scanner.at
        if operator == "~":
            piece = self._expression(name, begin)
            slashed = SLASH.sub(lambda found: found[0] if found[0] != "/" else "\\/", piece.text)
            text = f"{small}~/{slashed}/{'i' if piece.ignore_case else ''}"
            return Term(text, expression_term(name, begin, _pattern(piece)))
        values = self._values(name, begin)
        text = f"{small}{operator}{self._text[value_begin : self._end_of_values]}"
        return Term(text, field_term(name, begin, operator, values, self._flags))

    def _expression(self, name: str, begin: int) -> Piece:
        scanner = self._scanner
        if scanner.next() == "/":
            return scanner.expression()
        piece = scanner.quoted() if scanner.next() == '"' else scanner.bare_expression()
        if not piece.text:
            raise self._no_value(name, begin)
        return piece

    def _values(self, name: str, begin: int) -> list[Value]:
        """Everything between commas."""
        scanner, values = self._scanner, list[Value]()
        while True:
            position = scanner.at
            if scanner.next() == '"':
                piece = scanner.quoted()
                values.append(Value(piece.text, piece.position, literal=True))
            elif text := scanner.value():
                values.append(Value(text, position))
            elif not values:
                raise self._no_value(name, begin)
            else:
                reason = "a value is missing after the comma"
                self._complain(scanner.at, reason, start=position - 1, end=position)
                break
            self._end_of_values = scanner.at
            if scanner.next() != ",":
                break
            if not self._takes_another(scanner.at):
                break
            scanner.at += 1
        return values

    def _no_value(self, name: str, begin: int) -> WrongValueError:
        if not is_field(name):
            return unknown_field(name, begin)
        field = find_field(name)[1]
        takes = field.takes.value if field else "a flag, such as is:failed"
        return WrongValueError(self._scanner.at, f"a value is missing: {name} takes {takes}")


def _pattern(piece: Piece) -> Pattern:
    return make_expression(piece.text, piece.position, ignore_case=piece.ignore_case)
