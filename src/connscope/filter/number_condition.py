"""Conditions on what is counted from columns: time that has passed, and shares."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar, Literal

import numpy as np

from connscope.filter.batch import Batch, Mask
from connscope.filter.condition import Among, Span, Sql, column_limit

__all__ = ("Age", "Share", "ShareBound")


@dataclass(frozen=True, slots=True)
class Age:
    """How long ago a time of a column was lies in one of some spans; 0 is no time.

    Attributes:
        column: nanoseconds on the clock of the rows.
        spans: nanoseconds, in rising order.
    """

    slow: ClassVar[bool] = False
    column: str
    spans: tuple[Span, ...]

    def mask(self, batch: Batch) -> Mask:
        """That of the times when it must have been."""
        return self._times(batch.now_ns).mask(batch)

    def sql(self, sql: Sql) -> str:
        """That of the times when it must have been."""
        return self._times(sql.now_ns).sql(sql)

    def _times(self, now_ns: int) -> Among:
        """What is to come by the clock of the filter has just been: age 0."""
        limit, times = column_limit(self.column), list[Span]()
        for low, high in reversed(self.spans):
            first = max(1, now_ns - high)
            last = limit if low == 0 else min(limit, now_ns - low)
            if first <= last:
                times.append((first, last))
        return Among(self.column, tuple(times))


ShareBound = Literal["<", "<=", "=", ">=", ">"]


@dataclass(frozen=True, slots=True)
class Share:
    """One column as a share of another; nothing has no share of nothing.

    Attributes:
        part: of 32 bits.
        whole: the same.
        bound: how they compare.
        share: a fraction whose two numbers have at most 31 bits, so that no product overflows.
    """

    slow: ClassVar[bool] = False
    part: str
    whole: str
    bound: ShareBound
    share: Fraction

    def mask(self, batch: Batch) -> Mask:
        """Multiplied on both sides, so that nothing is rounded."""
        whole = batch.column(self.whole).astype(np.int64)
        part = batch.column(self.part).astype(np.int64)
        ours, wanted = part * self.share.denominator, whole * self.share.numerator
        if self.bound == "=":
            mask: Mask = ours == wanted
        elif self.bound in ("<", "<="):
            mask = ours < wanted if self.bound == "<" else ours <= wanted
        else:
            mask = ours > wanted if self.bound == ">" else ours >= wanted
        return mask & (whole > 0)

    def sql(self, sql: Sql) -> str:
        """The same, in 64 bits."""
        sql.add(self.share.denominator, self.share.numerator)
        return (
            f'(CAST("{self.part}" AS BIGINT) * ? {self.bound} CAST("{self.whole}" AS BIGINT) * ?'
            f' AND "{self.whole}" > 0)'
        )
