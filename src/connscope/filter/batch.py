"""A batch of rows while a filter looks at it: each column is taken out of the rows once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.row.address import address_text
from connscope.row.columns import ROW, Rows
from connscope.row.outside_text import printable

__all__ = ("Batch", "Columns", "Mask")

Columns = Mapping[str, npt.NDArray[Any]]
"""Some columns of rows, each as it is in them, by name."""

Mask = npt.NDArray[np.bool_]
"""Shape (n,): which rows."""

Words = npt.NDArray[np.uint64]
Test = Callable[[Sequence[str]], Sequence[bool]]
"""Which texts pass."""

BYTES = 16
"""Of an address and of a comm."""
BUCKET_BITS = 16
ODD = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F))
"""Multiplied with them, the upper bits of a product depend on all bits below."""


class Batch:
    """Rows, and the time that it is for them.

    Args:
        rows: an array of `ROW`.
        now_ns: the present on the clock of the rows.
        only: numbers of the rows that are looked at; none: all.
        own: which rows are of connscope's own connections; none: nobody says.
        columns: those of the rows that are at hand by themselves: a column that has to be taken out
            of wide rows costs as much as all that is done with it.
    """

    def __init__(
        self,
        rows: Rows,
        now_ns: int,
        only: npt.NDArray[np.intp] | None = None,
        own: Mask | None = None,
        columns: Columns | None = None,
    ) -> None:
        self.now_ns = now_ns
        self._rows = rows
        self._only = only
        self._own = own
        self._at_hand = columns or {}
        self._columns = dict[str, npt.NDArray[Any]]()
        self._distinct = dict[str, _Distinct]()

    def __len__(self) -> int:
        return len(self._rows if self._only is None else self._only)

    def narrowed(self, mask: Mask) -> Batch:
        """Only those rows of the mask."""
        chosen = np.flatnonzero(mask)
        only = chosen if self._only is None else self._only[chosen]
        return Batch(self._rows, self.now_ns, only, self._own, self._at_hand)

    def own(self) -> Mask:
        """Which rows are of connscope's own connections; a new array."""
        if self._own is None:
            return np.zeros(len(self), np.bool_)
        return self._own.copy() if self._only is None else self._own[self._only]

    def column(self, name: str) -> npt.NDArray[Any]:
        """A column without the rest of the rows between its values."""
        column = self._columns.get(name)
        if column is None:
            column = self._at_hand.get(name, self._rows[name])
            column = np.ascontiguousarray(column) if self._only is None else column[self._only]
            self._columns[name] = column
        return column

    def halves(self, name: str) -> Words:
        """A column of 16 bytes as two words, shape (n, 2)."""
        column = self.column(name)
        return column.view(np.uint8).reshape(-1, BYTES).view(np.uint64)

    def texts_pass(self, name: str, test: Test) -> Mask:
        """Which rows have a text in the column that passes; asked once for each that differs."""
        distinct = self._distinct.get(name)
        if distinct is None:
            make = {BYTES: _sixteen_bytes, 2: _short_numbers}.get(ROW[name].itemsize, _numbers)
            distinct = self._distinct[name] = make(self, name)
        return distinct.passing(test)


class _Distinct:
    """The different texts of a column.

    Args:
        texts: each at least once.
        places: of each row: which text it has.
    """

    def __init__(self, texts: list[str], places: npt.NDArray[np.intp]) -> None:
        self._texts = texts
        self._places = places

    def passing(self, test: Test) -> Mask:
        """Which rows have a text that passes."""
        mask: Mask = np.array(test(self._texts), np.bool_)[self._places]
        return mask


def _numbers(batch: Batch, name: str) -> _Distinct:
    numbers, places = np.unique(batch.column(name), return_inverse=True)
    return _Distinct([str(number) for number in numbers.tolist()], places)


def _short_numbers(batch: Batch, name: str) -> _Distinct:
    """Of 16 bits: a table of all of them takes a tenth of the time of sorting."""
    column = batch.column(name)
    seen = np.zeros(1 << 16, np.bool_)
    seen[column] = True
    numbers = np.flatnonzero(seen)
    return _Distinct([str(number) for number in numbers.tolist()], _place_of(numbers)[column])


def _place_of(numbers: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """A table of the place that each number of 16 bits has among some."""
    places = np.empty(1 << 16, np.intp)
    places[numbers] = np.arange(len(numbers))
    return places


def _sixteen_bytes(batch: Batch, name: str) -> _Distinct:
    """Rows are thrown into buckets by their bytes; the last one stands for all of a bucket.

    Sorting 16 bytes, or a dictionary of them, takes ten times as long. Rows that differ from the
    one that stands for their bucket go the slow way.
    """
    halves = batch.halves(name)
    first, second = np.ascontiguousarray(halves.T)
    buckets = ((first * ODD[0] + second * ODD[1]) >> np.uint64(64 - BUCKET_BITS)).astype(np.intp)
    standing = np.full(1 << BUCKET_BITS, -1, np.intp)
    standing[buckets] = np.arange(len(buckets))
    used = np.flatnonzero(standing >= 0)
    places = _place_of(used)[buckets]
    keys = _keys(halves[standing[used]])
    by_bucket = standing[buckets]
    others = np.flatnonzero((first != first[by_bucket]) | (second != second[by_bucket]))
    late = dict[bytes, int]()
    for row, key in zip(others.tolist(), _keys(halves[others]), strict=True):
        places[row] = late.setdefault(key, len(keys) + len(late))
    text = printable if name == "comm" else address_text
    return _Distinct([text(key) for key in (*keys, *late)], places)


def _keys(halves: Words) -> list[bytes]:
    keys: list[bytes] = halves.view(f"V{BYTES}")[:, 0].tolist() if len(halves) else []
    return keys
