"""Reads the smallest pieces of a filter: words, quoted texts, expressions, operators."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ("MissingError", "Piece", "Scanner")

SPACES = re.compile(r"\s*")
KEYWORD = re.compile(r"(or|and|not)(?=[\s()\"]|\Z)", re.IGNORECASE)
RUN = re.compile(r"[^\s()\"]+")
HEAD = re.compile(r"(?:(?!!=)[^\s()\":=<>~])+")
OPERATOR = re.compile(r"!=|<=|>=|[:=<>~]")
SPACED_OPERATOR = re.compile(r"\s*(!=|<=|>=|[=<>~])\s*")
VALUE = re.compile(r"[^\s(),\"]+")
ADDRESS = re.compile(r"[0-9a-f]{0,4}:[0-9a-f.]*:[0-9a-f:.]*(?:/\d*)?", re.IGNORECASE | re.ASCII)
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
ESCAPED = re.compile(r'\\(["\\])')
EXPRESSION = re.compile(r"/((?:[^/\\]|\\.)+)/(i?)(?=[\s()\"]|\Z)", re.DOTALL)


class MissingError(ValueError):
    """What begins here has no end."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the text.

    Attributes:
        text: what it says, without quotes or slashes.
        position: where that begins.
        ignore_case: of an expression.
    """

    text: str
    position: int
    ignore_case: bool = True


class Scanner:
    """A text that is read from left to right.

    Attributes:
        text: all of it.
        at: what comes next.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def next(self) -> str:
        """The next character; empty text at the end."""
        return self.text[self.at : self.at + 1]

    def skip_spaces(self) -> None:
        """Goes to the next character that is none."""
        found = SPACES.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def keyword(self) -> str:
        """The keyword that comes next, in small letters; empty text if none does."""
        found = KEYWORD.match(self.text, self.at)
        return found[1].lower() if found else ""

    def run(self) -> str:
        """Takes everything up to a space, a parenthesis or a quote."""
        return self._take(RUN)

    def head(self) -> str:
        """Takes what may be a field: everything up to an operator or the end of the word."""
        return self._take(HEAD)

    def operator(self, *, spaced: bool) -> str:
        """Takes an operator, with the spaces around it if there may be some.

        There may be none around ``:``, so that ``proc: nginx`` is no riddle.
        """
        found = SPACED_OPERATOR.match(self.text, self.at) if spaced else None
        if found:
            self.at = found.end()
            return found[1]
        return self._take(OPERATOR)

    def is_address(self) -> bool:
        """If an IPv6 address comes next, or a piece of one with two colons, and not a field."""
        run = RUN.match(self.text, self.at)
        return bool(run and ADDRESS.fullmatch(run[0]))

    def value(self) -> str:
        """Takes one value of a list."""
        return self._take(VALUE)

    def quoted(self) -> Piece:
        r"""Takes what stands in quotes; ``\"`` and ``\\`` are one character.

        Raises:
            MissingError: the closing quote is missing.
        """
        found = QUOTED.match(self.text, self.at)
        if not found:
            raise MissingError
        position, self.at = self.at + 1, found.end()
        return Piece(ESCAPED.sub(r"\1", found[1]), position)

    def expression(self) -> Piece:
        """Takes what stands between slashes, and the ``i`` behind them.

        Raises:
            MissingError: the closing slash is missing.
        """
        found = EXPRESSION.match(self.text, self.at)
        if not found:
            raise MissingError
        position, self.at = self.at + 1, found.end()
        return Piece(found[1], position, bool(found[2]))

    def bare_expression(self) -> Piece:
        """Takes an expression up to a space or a parenthesis that it did not open."""
        begin, depth, escaped = self.at, 0, False
        while character := self.next():
            if character.isspace():
                break
            if not escaped:
                depth += (character == "(") - (character == ")")
            if depth < 0:
                break
            escaped = character == "\\" and not escaped
            self.at += 1
        return Piece(self.text[begin : self.at], begin)

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if not found:
            return ""
        self.at = found.end()
        return found[0]
