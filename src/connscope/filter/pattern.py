"""Finds a pattern in texts, in time that grows with the text alone.

Patterns come from users, texts from processes that may be hostile. ``re`` tries one way after the
other: two such lines can keep it busy for hours. Here all ways are followed at the same time, and
what was found out about a set of ways is remembered (a DFA made while reading).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from connscope.filter.pattern_syntax import (
    Choice,
    Edge,
    Letter,
    Part,
    PatternError,
    Repeat,
    Sequence,
)

__all__ = ("Pattern",)

STEPS_AT_MOST = 300
WAYS_AT_MOST = 2000
"""How many sets of ways are remembered."""


@dataclass(slots=True)
class _Step:
    """Where a way goes on: after a letter, after an edge, or at once; nowhere at the end."""

    condition: Letter | Edge | None = None
    following: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Ways:
    """All the ways that a text allows up to here.

    Attributes:
        letters: the steps that wait for a letter.
        found: some way came to its end.
        found_at_end: some way does if the text ends here.
        after: where each character leads.
    """

    letters: tuple[int, ...]
    found: bool
    found_at_end: bool
    after: dict[str, _Ways] = field(default_factory=dict)


class Pattern:
    """A pattern that can be looked for.

    Args:
        part: as `parse_expression` and `parse_wildcards` make it.

    Raises:
        PatternError: the pattern is too large.
    """

    def __init__(self, part: Part) -> None:
        self._part = part
        self._steps = [_Step()]
        self._first = self._add(part, 0)
        self._literal = _literal(part)
        self._known = dict[tuple[frozenset[int], bool], _Ways]()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and other._part == self._part

    def __hash__(self) -> int:
        return hash(self._part)

    def __repr__(self) -> str:
        return f"Pattern({str(self)!r})"

    def __str__(self) -> str:
        """The pattern as an expression that Python, JavaScript and RE2 read alike."""
        return str(self._part)

    def found_in_each(self, texts: Iterable[str]) -> list[bool]:
        """Of each text: if some piece of it matches."""
        texts = tuple(texts)
        if self._literal is not None and all(map(str.isascii, texts)):
            literal = self._literal
            return [literal in text for text in map(str.lower, texts)]
        return [self.found_in(text) for text in texts]

    def found_in(self, text: str) -> bool:
        """If some piece of the text matches."""
        ways = self._ways(frozenset((self._first,)), at_start=True)
        for character in text:
            if ways.found:
                return True
            ways = ways.after.get(character) or self._follow(ways, character)
        return ways.found or ways.found_at_end

    def _follow(self, ways: _Ways, character: str) -> _Ways:
        reached = {self._first}
        for number in ways.letters:
            step = self._steps[number]
            if isinstance(step.condition, Letter) and character in step.condition:
                reached.update(step.following)
        following = self._ways(frozenset(reached), at_start=False)
        ways.after[character] = following
        return following

    def _ways(self, reached: frozenset[int], *, at_start: bool) -> _Ways:
        key = (reached, at_start)
        ways = self._known.get(key)
        if ways is None:
            if len(self._known) >= WAYS_AT_MOST:
                # The old sets lead to each other: cut, or none of them would ever go away.
                for old in self._known.values():
                    old.after.clear()
                self._known.clear()
            here = self._closure(reached, at_start=at_start, at_end=False)
            letters = [each for each in here if isinstance(self._steps[each].condition, Letter)]
            at_end = self._closure(reached, at_start=at_start, at_end=True)
            ways = _Ways(tuple(sorted(letters)), 0 in here, 0 in at_end)
            self._known[key] = ways
        return ways

    def _closure(self, reached: frozenset[int], *, at_start: bool, at_end: bool) -> set[int]:
        """All steps that can be reached without a letter."""
        passable = {None, *("^" if at_start else ""), *("$" if at_end else "")}
        seen, waiting = set[int](), list(reached)
        while waiting:
            number = waiting.pop()
            if number in seen:
                continue
            seen.add(number)
            condition = self._steps[number].condition
            if not isinstance(condition, Letter) and (condition and condition.sign) in passable:
                waiting.extend(self._steps[number].following)
        return seen

    def _add(self, part: Part, following: int) -> int:
        """Adds the steps of a part that goes on at `following`; the first of them."""
        if len(self._steps) >= STEPS_AT_MOST:
            raise PatternError(0, f"the pattern has more than {STEPS_AT_MOST} steps")
        if isinstance(part, Letter | Edge):
            return self._step(part, following)
        if isinstance(part, Choice):
            return self._step(None, *(self._add(each, following) for each in part.parts))
        if isinstance(part, Repeat):
            return self._add_repeat(part, following)
        for each in reversed(part.parts):
            following = self._add(each, following)
        return self._step(None, following)

    def _add_repeat(self, repeat: Repeat, following: int) -> int:
        if repeat.highest is None:
            again = self._step(None, following)
            self._steps[again].following.append(self._add(repeat.part, again))
            following = again
        else:
            for _ in range(repeat.highest - repeat.lowest):
                following = self._step(None, following, self._add(repeat.part, following))
        for _ in range(repeat.lowest):
            following = self._add(repeat.part, following)
        return following

    def _step(self, condition: Letter | Edge | None, *following: int) -> int:
        self._steps.append(_Step(condition, list(following)))
        return len(self._steps) - 1


def _literal(part: Part) -> str | None:
    """The text, in small letters, if the pattern is nothing but a text in either case."""
    found = ""
    for each in part.parts if isinstance(part, Sequence) else (part,):
        if not isinstance(each, Letter) or each.negated:
            return None
        small = min(each.members).lower()
        if each.members != {small, small.upper()} or not small.isascii():
            return None
        found += small
    return found
