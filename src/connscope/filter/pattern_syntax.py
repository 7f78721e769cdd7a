r"""Patterns as people write them: a word with ``*``, or a regular expression.

The expressions are what Python, JavaScript and RE2 (DuckDB) agree on: letters, ``.``, classes,
``\d \w \s`` of ASCII, groups, ``|``, ``* + ? {m,n}``, ``^`` and ``$``. Groups capture nothing, and
there is no looking around or back: what matches must be decided in one pass over the text.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass

__all__ = (
    "Choice",
    "Edge",
    "Letter",
    "Part",
    "PatternError",
    "Repeat",
    "Sequence",
    "parse_expression",
    "parse_wildcards",
)

NESTED_AT_MOST = 20
REPEATED_AT_MOST = 100
RANGE_AT_MOST = 1024
DIGITS = frozenset(string.digits)
CLASSES = {
    "d": DIGITS,
    "w": DIGITS | frozenset(string.ascii_letters) | {"_"},
    "s": frozenset(" \t\n\r\f\v"),
}
COUNTS = re.compile(r"\{(\d{1,3})(,?)(\d{0,3})\}", re.ASCII)
REPEATS = {"*": (0, None), "+": (1, None), "?": (0, 1)}
REPEAT_SIGNS = (*REPEATS, "{")


class PatternError(ValueError):
    """The expression is wrong at a position of it."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(reason)
        self.position = position
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Letter:
    """One character: of some, or any but some."""

    members: frozenset[str]
    negated: bool = False

    def __contains__(self, character: str) -> bool:
        return (character in self.members) is not self.negated

    def __str__(self) -> str:
        if not self.members:
            return "."
        inside = "".join(_escaped(member) for member in sorted(self.members))
        if len(self.members) == 1 and not self.negated:
            return inside
        return f"[{'^' if self.negated else ''}{inside}]"


@dataclass(frozen=True, slots=True)
class Edge:
    """``^``, where a text begins, or ``$``, where it ends."""

    sign: str

    def __str__(self) -> str:
        return self.sign


@dataclass(frozen=True, slots=True)
class Sequence:
    """One part after the other."""

    parts: tuple[Part, ...]

    def __str__(self) -> str:
        return "".join(f"(?:{x})" if isinstance(x, Choice) else str(x) for x in self.parts)


@dataclass(frozen=True, slots=True)
class Choice:
    """Any one of the parts."""

    parts: tuple[Part, ...]

    def __str__(self) -> str:
        return "|".join(map(str, self.parts))


@dataclass(frozen=True, slots=True)
class Repeat:
    """A part some times over; without a highest number: as often as you like."""

    part: Part
    lowest: int
    highest: int | None

    def __str__(self) -> str:
        inside = str(self.part) if isinstance(self.part, Letter) else f"(?:{self.part})"
        highest = "" if self.highest is None else self.highest
        return f"{inside}{{{self.lowest},{highest}}}"


Part = Letter | Edge | Sequence | Choice | Repeat

ANY = Letter(frozenset(), negated=True)
ANYTHING = Repeat(ANY, 0, None)


def parse_wildcards(text: str, *, literal: bool = False, whole: bool = False) -> Part:
    """A word in which ``*`` stands for anything; ASCII letters match either case.

    Args:
        text: the word.
        literal: ``*`` stands for itself.
        whole: the word is all of the text, not any piece of it.
    """
    parts = [
        ANYTHING if character == "*" and not literal else Letter(_both_cases(frozenset(character)))
        for character in text
    ]
    return Sequence((Edge("^"), *parts, Edge("$")) if whole else tuple(parts))


def parse_expression(text: str, *, ignore_case: bool) -> Part:
    """A regular expression.

    Raises:
        PatternError: it is none, or has something that this language does not.
    """
    return _Expression(text, ignore_case).parse()


class _Expression:
    """Reads an expression from left to right."""

    def __init__(self, text: str, ignore_case: bool) -> None:
        self._text = text
        self._ignore_case = ignore_case
        self._at = 0
        self._depth = 0

    def parse(self) -> Part:
        part = self._choice()
        if self._at < len(self._text):
            raise PatternError(self._at, "this ) closes nothing: write \\) for the character")
        return part

    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _choice(self) -> Part:
        parts = [self._sequence()]
        while self._next() == "|":
            self._at += 1
            parts.append(self._sequence())
        return parts[0] if len(parts) == 1 else Choice(tuple(parts))

    def _sequence(self) -> Part:
        parts = list[Part]()
        while self._next() not in ("", "|", ")"):
            parts.append(self._repeated(self._atom()))
        return Sequence(tuple(parts))

    def _repeated(self, part: Part) -> Part:
        begin, sign = self._at, self._next()
        if sign not in REPEAT_SIGNS:
            return part
        if isinstance(part, Edge):
            raise PatternError(begin, f"{part} can not be repeated")
        lowest, highest = self._counts() if sign == "{" else REPEATS[sign]
        self._at += sign != "{"
        if self._next() in REPEAT_SIGNS:
            raise PatternError(self._at, "this repeats a repeat: put the first into parentheses")
        return Repeat(part, lowest, highest)

    def _counts(self) -> tuple[int, int | None]:
        found = COUNTS.match(self._text, self._at)
        if not found:
            raise PatternError(self._at, "write {2}, {2,} or {2,5}, or \\{ for the character")
        lowest = int(found[1])
        highest = int(found[3]) if found[3] else None if found[2] else lowest
        if max(lowest, highest or 0) > REPEATED_AT_MOST:
            raise PatternError(self._at, f"more than {REPEATED_AT_MOST} times: use * or +")
        if highest is not None and highest < lowest:
            raise PatternError(self._at, "the first number is the lower one")
        self._at = found.end()
        return lowest, highest

    def _atom(self) -> Part:
        character = self._next()
        if character in REPEAT_SIGNS:
            raise PatternError(
                self._at, f"nothing to repeat: write \\{character} for the character"
            )
        if character == "(":
            return self._group()
        if character == "[":
            return self._class()
        if character == "\\":
            return Letter(self._folded(self._escape()))
        self._at += 1
        if character in "^$":
            return Edge(character)
        return ANY if character == "." else Letter(self._folded(frozenset(character)))

    def _group(self) -> Part:
        begin = self._at
        self._at += 3 if self._text.startswith("(?:", begin) else 1
        self._depth += 1
        if self._next() == "?":
            raise PatternError(self._at, "of groups with (? there is only (?:")
        if self._depth > NESTED_AT_MOST:
            raise PatternError(begin, f"more than {NESTED_AT_MOST} groups inside each other")
        part = self._choice()
        if self._next() != ")":
            raise PatternError(begin, "this ( is never closed: write \\( for the character")
        self._at += 1
        self._depth -= 1
        return part

    def _escape(self) -> frozenset[str]:
        r"""``\d`` and its like, or a sign that stands for itself."""
        sign = self._text[self._at + 1 : self._at + 2]
        if sign in CLASSES:
            found = CLASSES[sign]
        elif sign.isalnum() or not sign or not sign.isascii():
            raise PatternError(self._at, "after \\ comes d, w, s or a sign such as .")
        else:
            found = frozenset(sign)
        self._at += 2
        return found

    def _class(self) -> Letter:
        begin = self._at
        negated = self._text.startswith("[^", begin)
        self._at += 2 if negated else 1
        members = frozenset[str]()
        while self._next() != "]":
            if not self._next():
                raise PatternError(begin, "this [ is never closed: write \\[ for the character")
            members |= self._members()
        if not members:
            raise PatternError(begin, "there is nothing between [ and ]")
        self._at += 1
        return Letter(self._folded(members), negated)

    def _members(self) -> frozenset[str]:
        """A character of a class, or a range."""
        begin = self._at
        first = self._member()
        if self._next() != "-" or self._text[self._at + 1 : self._at + 2] in ("]", ""):
            return first
        self._at += 1
        last = self._member()
        if len(first) > 1 or len(last) > 1:
            raise PatternError(begin, "a range is between two characters, such as a-z")
        low, high = ord(min(first)), ord(min(last))
        if not low <= high < low + RANGE_AT_MOST:
            raise PatternError(begin, f"a range goes up, over at most {RANGE_AT_MOST} characters")
        return frozenset(map(chr, range(low, high + 1)))

    def _member(self) -> frozenset[str]:
        character = self._next()
        if character == "[":
            raise PatternError(self._at, "write \\[ for the character")
        if character == "\\":
            return self._escape()
        self._at += 1
        return frozenset(character)

    def _folded(self, members: frozenset[str]) -> frozenset[str]:
        return _both_cases(members) if self._ignore_case else members


def _both_cases(members: frozenset[str]) -> frozenset[str]:
    """Only ASCII letters have two: what other letters do differs between Python, RE2 and
    JavaScript."""
    letters = [letter for letter in members if letter.isascii()]
    return members | {letter.swapcase() for letter in letters}


def _escaped(character: str) -> str:
    plain = character.isalnum() or not character.isascii() or not character.isprintable()
    return character if plain or character in "_ " else f"\\{character}"
