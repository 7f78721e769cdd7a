"""What a filter asks of rows: conditions that know how to ask NumPy and how to ask SQL.

A condition holds or does not; a third way, such as the NULL of SQL, is there for nobody. So `Not`
is exactly the other rows, among them those of which nothing is known.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import numpy as np

from connscope.filter.batch import Batch, Mask
from connscope.row.columns import ROW
from connscope.row.words import Group

__all__ = (
    "EVERYTHING",
    "NOTHING",
    "All",
    "Among",
    "AnyOf",
    "Condition",
    "Knows",
    "Not",
    "Own",
    "Sql",
    "column_limit",
    "every",
    "some",
)

Span = tuple[int, int]
"""The lowest and the highest number of a range, both within it."""


@dataclass(slots=True)
class Sql:
    """An expression while it is made.

    Attributes:
        now_ns: the present on the clock of the rows.
        parameters: in the order of their question marks.
    """

    now_ns: int
    parameters: list[int | str | bytes] = field(default_factory=list)

    def add(self, *parameters: int | str | bytes) -> None:
        """Notes values for the question marks that are written next."""
        self.parameters.extend(parameters)


class Condition(Protocol):
    """Something that holds for a row or does not."""

    @property
    def slow(self) -> bool:
        """If it has to look at texts."""
        ...

    def mask(self, batch: Batch) -> Mask:
        """Of which rows it holds."""
        ...

    def sql(self, sql: Sql) -> str:
        """An expression, safe to be put between other ones; NULL is as good as false."""
        ...


@dataclass(frozen=True, slots=True)
class All:
    """Every one of the conditions; without any it holds."""

    conditions: tuple[Condition, ...] = ()

    @property
    def slow(self) -> bool:
        """If some condition is."""
        return any(condition.slow for condition in self.conditions)

    def mask(self, batch: Batch) -> Mask:
        """Of which rows all hold; the slow ones are asked last, of the rows that are left."""
        mask, left = np.ones(len(batch), np.bool_), batch
        for condition in sorted(self.conditions, key=lambda each: each.slow):
            held = condition.mask(left)
            mask[mask] = held
            if not held.any():
                break
            left = left if held.all() else left.narrowed(held)
        return mask

    def sql(self, sql: Sql) -> str:
        """Joined by AND."""
        if not self.conditions:
            return "TRUE"
        return f"({' AND '.join(condition.sql(sql) for condition in self.conditions)})"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one of the conditions; without any it does not hold."""

    conditions: tuple[Condition, ...] = ()

    @property
    def slow(self) -> bool:
        """If some condition is."""
        return any(condition.slow for condition in self.conditions)

    def mask(self, batch: Batch) -> Mask:
        """Of which rows some hold."""
        mask = np.zeros(len(batch), np.bool_)
        for condition in self.conditions:
            mask |= condition.mask(batch)
        return mask

    def sql(self, sql: Sql) -> str:
        """Joined by OR."""
        if not self.conditions:
            return "FALSE"
        return f"({' OR '.join(condition.sql(sql) for condition in self.conditions)})"


@dataclass(frozen=True, slots=True)
class Not:
    """Where the condition does not hold."""

    condition: Condition

    @property
    def slow(self) -> bool:
        """If the condition is."""
        return self.condition.slow

    def mask(self, batch: Batch) -> Mask:
        """All other rows."""
        return ~self.condition.mask(batch)

    def sql(self, sql: Sql) -> str:
        """NOT would leave NULL as it is."""
        return f"({self.condition.sql(sql)} IS NOT TRUE)"


EVERYTHING = All()
NOTHING = AnyOf()


@dataclass(frozen=True, slots=True)
class Knows:
    """Some column's group is known."""

    slow: ClassVar[bool] = False
    group: Group

    def mask(self, batch: Batch) -> Mask:
        """Whose bit is set."""
        known: Mask = batch.column("known") & self.group.value != 0
        return known

    def sql(self, sql: Sql) -> str:
        """The bit, as a number."""
        sql.add(self.group.value)
        return '("known" & ? <> 0)'


@dataclass(frozen=True, slots=True)
class Own:
    """The connection is connscope's own: no column says so, whoever asks has to."""

    slow: ClassVar[bool] = False

    def mask(self, batch: Batch) -> Mask:
        """As it was said."""
        return batch.own()

    def sql(self, sql: Sql) -> str:
        """A column of a table that has it."""
        return '("own" IS TRUE)'


@dataclass(frozen=True, slots=True)
class Among:
    """The number of a column lies in one of some spans.

    Attributes:
        column: of unsigned numbers.
        spans: in rising order, apart from each other, none beyond what the column can hold.
    """

    slow: ClassVar[bool] = False
    column: str
    spans: tuple[Span, ...]

    def mask(self, batch: Batch) -> Mask:
        """Two comparisons for each span."""
        numbers, limit = batch.column(self.column), column_limit(self.column)
        mask = np.zeros(len(batch), np.bool_)
        for low, high in self.spans:
            if low == high:
                mask |= numbers == low
            elif high == limit:
                mask |= numbers >= low
            else:
                mask |= (numbers >= low) & (numbers <= high)
        return mask

    def sql(self, sql: Sql) -> str:
        """Single numbers are one list."""
        wide = [span for span in self.spans if span[0] != span[1]]
        expressions = [self._span_sql(low, high, sql) for low, high in wide]
        single = [low for low, high in self.spans if low == high]
        if single:
            sql.add(*single)
            expressions.append(f'"{self.column}" IN ({", ".join("?" for _ in single)})')
        return f"({' OR '.join(expressions)})" if expressions else "FALSE"

    def _span_sql(self, low: int, high: int, sql: Sql) -> str:
        if high == column_limit(self.column):
            sql.add(low)
            return f'"{self.column}" >= ?'
        sql.add(low, high)
        return f'"{self.column}" BETWEEN ? AND ?'


def column_limit(column: str) -> int:
    """The highest number that a column can hold."""
    return int(np.iinfo(ROW[column]).max)


def every(*conditions: Condition) -> Condition:
    """All of them, without one `All` directly inside another."""
    kept = list[Condition]()
    for condition in conditions:
        kept.extend(condition.conditions if isinstance(condition, All) else (condition,))
    return kept[0] if len(kept) == 1 else All(tuple(kept))


def some(*conditions: Condition) -> Condition:
    """Any of them."""
    return conditions[0] if len(conditions) == 1 else AnyOf(conditions)
