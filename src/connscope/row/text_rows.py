"""Many lines of text made at once: each piece of a line is a column for all lines.

A text column is an array of bytes, shape (n, width), dtype uint8, filled up with NUL; the NULs are
dropped when the lines are joined. So a number is written without a Python object for it. A column
that is the same on all lines is there once only: a step from line to line is one of 0 bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = (
    "TextColumn",
    "TextRows",
    "decimal_column",
    "is_constant",
    "looked_up_column",
    "padded_column",
    "repeated_column",
)

TextColumn = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

BASE = 10_000
DIGITS = 4
BARE = np.arange(BASE).astype("S4").view(np.uint32)
PADDED = np.char.zfill(np.arange(BASE).astype("S4"), DIGITS).view(np.uint32)
LOWEST = np.concatenate((BARE, PADDED))
"""Four digits as one word: of a number below 10,000, and behind those with zeros in front."""
HIGHER = LOWEST.copy()
HIGHER[0] = 0
"""The same, but nothing at all for 0."""


class TextRows:
    """Lines that grow to the right, all at the same time.

    Args:
        count: how many lines.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._groups: list[tuple[list[TextColumn], Mask | None]] = []

    def add(self, *pieces: str | TextColumn, where: Mask | None = None) -> None:
        """Appends the pieces one after the other; `where` says on which lines, None on all."""
        if where is not None and not where.any():
            return
        columns = [
            repeated_column(piece.encode(), self._count) if isinstance(piece, str) else piece
            for piece in pieces
        ]
        self._groups.append((columns, None if where is None or where.all() else where))

    def text(self) -> str:
        """All lines, one after the other."""
        alike = self._alike()
        lines = np.empty((self._count, len(alike)), np.uint8)
        lines[:] = alike
        start = end = 0
        for columns, where in self._groups:
            for column in columns:
                end += column.shape[1]
                if column.strides[0]:
                    lines[:, end - column.shape[1] : end] = column
            if where is not None:
                lines[~where, start:end] = 0
            start = end
        flat = lines.reshape(-1)
        return str(flat[flat != 0].data, "utf-8")

    def _alike(self) -> npt.NDArray[np.uint8]:
        """One line with what is the same on all of them."""
        pieces = [
            np.zeros(column.shape[1], np.uint8) if column.strides[0] else column[0]
            for columns, _ in self._groups
            for column in columns
        ]
        return np.concatenate(pieces)


def repeated_column(text: bytes, count: int) -> TextColumn:
    """The same text on all lines."""
    return np.ndarray((count, len(text)), np.uint8, text, strides=(0, 1))


def is_constant(values: npt.NDArray[Any]) -> bool:
    """True if all values are the same, of which there is at least one."""
    return bool((values == values[0]).all())


def decimal_column(numbers: npt.NDArray[Any]) -> TextColumn:
    """Unsigned numbers in decimal; at least one."""
    if is_constant(numbers):
        return repeated_column(b"%d" % numbers[0], len(numbers))
    words, rest, table = list[npt.NDArray[np.uint32]](), _widened(numbers), LOWEST
    while rest.any():
        low, higher = _split(rest)
        # Below 10,000 that is the number itself, above it a place in the half with zeros.
        words.append(table[np.minimum(rest, low + BASE)])
        rest, table = higher, HIGHER
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
        values: shape (n,), of a void dtype; at least one.
        make: its text may not contain NUL.
    """
    keys = values.tolist()
    places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    if len(places) == 1:
        return repeated_column(make(keys[0]).encode(), len(keys))
    texts = np.array([make(key).encode() for key in places])
    places_of_rows = np.fromiter(map(places.__getitem__, keys), np.intp, len(keys))
    return texts[places_of_rows].view(np.uint8).reshape(len(keys), -1)


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
