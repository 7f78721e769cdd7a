"""Many lines of text made at once: each piece of a line is a column for all rows.

A text column is an array of bytes, shape (n, width), dtype uint8, filled up with NUL; the NULs are
dropped when the lines are joined. So a number is written without a Python object for it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ("TextColumn", "TextRows", "decimal_column", "looked_up_column", "padded_column")

TextColumn = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

BASE = 10_000
DIGITS = 4
PADDED = np.char.zfill(np.arange(BASE).astype("S4"), DIGITS).view(np.uint32)
"""Four digits of each number below 10,000, as one word."""
BARE = np.arange(BASE).astype("S4").view(np.uint32)
LEADING = np.where(np.arange(BASE) > 0, BARE, np.uint32(0))
"""The same without zeros in front; in `LEADING` nothing at all for 0."""


class TextRows:
    """Lines that grow to the right, all at the same time.

    Args:
        count: how many lines.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._groups: list[tuple[list[TextColumn], Mask | None]] = []
        self._width = 0

    def add(self, *pieces: str | TextColumn, where: Mask | None = None) -> None:
        """Appends the pieces one after the other; `where` says on which lines, None on all."""
        if where is not None and not where.any():
            return
        columns = [_letters(piece) if isinstance(piece, str) else piece for piece in pieces]
        self._groups.append((columns, None if where is None or where.all() else where))
        self._width += sum(column.shape[-1] for column in columns)

    def text(self) -> str:
        """All lines, one after the other."""
        every = np.empty((self._count, self._width), np.uint8)
        start = end = 0
        for columns, where in self._groups:
            for column in columns:
                every[:, end : end + column.shape[-1]] = column
                end += column.shape[-1]
            if where is not None:
                every[~where, start:end] = 0
            start = end
        flat = every.reshape(-1)
        return flat[flat != 0].tobytes().decode()


def decimal_column(numbers: npt.NDArray[Any]) -> TextColumn:
    """Unsigned numbers in decimal."""
    low, rest = _split(_widened(numbers))
    words = [np.where(rest > 0, PADDED[low], BARE[low])]
    while rest.any():
        low, rest = _split(rest)
        words.append(np.where(rest > 0, PADDED[low], LEADING[low]))
    return _joined(words)


def padded_column(numbers: npt.NDArray[Any], digits: int) -> TextColumn:
    """Numbers in decimal with zeros in front; what has more than so many digits loses the first."""
    words, rest = list[npt.NDArray[np.uint32]](), _widened(numbers)
    for _ in range(0, digits, DIGITS):
        low, rest = _split(rest)
        words.append(PADDED[low])
    return _joined(words)[:, -digits:]


def looked_up_column(values: npt.NDArray[Any], make: Callable[[bytes], str]) -> TextColumn:
    """What `make` says of each value, asked once for each that differs.

    Args:
        values: shape (n,), of a void dtype.
        make: its text may not contain NUL.
    """
    keys = values.tolist()
    places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    texts = np.array([make(key).encode() for key in places])
    places_of_rows = np.fromiter(map(places.__getitem__, keys), np.intp, len(keys))
    return texts[places_of_rows].view(np.uint8).reshape(len(keys), -1)


@cache
def _letters(text: str) -> TextColumn:
    """One line's bytes; NumPy repeats them for all."""
    return np.frombuffer(text.encode(), np.uint8)


def _widened(numbers: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """uint32 where that is enough: half the work."""
    return numbers.astype(np.uint64 if numbers.dtype.itemsize > 4 else np.uint32)


def _split(numbers: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The lowest four digits, and the rest."""
    rest = numbers // BASE
    return numbers - rest * BASE, rest


def _joined(words: list[npt.NDArray[np.uint32]]) -> TextColumn:
    """Words of digits, lowest first, as text."""
    joined = np.empty((len(words[0]), len(words)), np.uint32)
    for place, word in enumerate(reversed(words)):
        joined[:, place] = word
    return joined.view(np.uint8)
