"""A filter: a text of the language, ready to be asked of rows or of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from connscope.filter.batch import Batch, Columns, Mask
from connscope.filter.condition import All, AnyOf, Condition, Not, Own, Sql
from connscope.filter.flags import FLAGS, FLAGS_WITH_OWN
from connscope.filter.parser import Ignored, Parser
from connscope.filter.terms import Term
from connscope.row.columns import Rows

__all__ = ("Filter", "parse")


@dataclass(frozen=True, slots=True)
class Filter:
    """What a text asks of rows; made by `parse`. Its own text is in one standard form.

    Attributes:
        condition: the tree of the terms.
        ignored: parts of the text that had no effect, in its order.
    """

    condition: Condition
    ignored: tuple[Ignored, ...] = ()

    def __str__(self) -> str:
        return _text(self.condition)

    @property
    def asks_own(self) -> bool:
        """If it depends on which connections are connscope's own."""
        return _asks_own(self.condition)

    def mask(
        self,
        rows: Rows,
        *,
        now_ns: int,
        own: Mask | None = None,
        columns: Columns | None = None,
    ) -> Mask:
        """Which rows it holds for, lost rows like any other.

        Args:
            rows: an array of `ROW`.
            now_ns: the present on the clock of the rows, for ``age``.
            own: which of them are of connscope's own connections, for ``is:own``.
            columns: of these rows, which are at hand by themselves.
        """
        if not len(rows):
            return np.zeros(0, np.bool_)
        return self.condition.mask(Batch(rows, now_ns, own=own, columns=columns))

    def sql(self, *, now_ns: int) -> tuple[str, list[int | str | bytes]]:
        """A WHERE expression that holds for the same rows, with its parameters.

        The table has the columns of `ROW`: 0 or NULL where something is unknown, addresses as 16
        bytes, ``comm`` as the text that JSON has. The database has ``regexp_matches(text,
        pattern)``, as DuckDB does, and ``address_text(bytes)``, as `row.address.address_text`.

        Args:
            now_ns: as for `mask`.
        """
        sql = Sql(now_ns)
        return self.condition.sql(sql), sql.parameters


def parse(
    text: str, *, unfinished: Literal["error", "ignore"] = "error", own: bool = False
) -> Filter:
    """The filter that a text is; an empty one holds for everything.

    Args:
        text: of the language.
        unfinished: ``ignore`` while somebody is typing: what is not finished or wrong has no
            effect, and stands in `Filter.ignored`.
        own: if whoever asks knows which connections are connscope's own; then there is ``is:own``.

    Raises:
        FilterError: the text is no filter; never with ``ignore``.
    """
    flags = FLAGS_WITH_OWN if own else FLAGS
    parser = Parser(text, forgiving=unfinished == "ignore", flags=flags)
    condition = parser.parse()
    return Filter(condition, tuple(sorted(parser.ignored, key=lambda each: each.start)))


def _asks_own(condition: Condition) -> bool:
    match condition:
        case Own():
            return True
        case Term() | Not():
            return _asks_own(condition.condition)
        case All() | AnyOf():
            return any(_asks_own(each) for each in condition.conditions)
    return False


def _text(condition: Condition) -> str:
    """The condition as the language writes it."""
    if isinstance(condition, Term):
        return condition.text
    if isinstance(condition, Not):
        return f"-{_in_parentheses(condition.condition, All, AnyOf)}"
    if isinstance(condition, AnyOf):
        return " or ".join(_in_parentheses(each, AnyOf) for each in condition.conditions)
    if isinstance(condition, All):
        return " ".join(_in_parentheses(each, AnyOf) for each in condition.conditions)
    raise TypeError(f"{condition!r} is no part of the language")


def _in_parentheses(condition: Condition, *kinds: type[All | AnyOf]) -> str:
    text = _text(condition)
    return f"({text})" if isinstance(condition, kinds) else text
