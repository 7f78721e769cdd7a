"""Numbers as decimal text, many columns at a time, because each call of NumPy has its price."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.row.text_rows import TextColumn

__all__ = ("decimal_columns", "padded_column")

Words = npt.NDArray[np.uint32]
"""Four digits a word."""

BASE = 10_000
DIGITS = 4
BARE = np.arange(BASE).astype("S4").view(np.uint32)
PADDED = np.char.zfill(np.arange(BASE).astype("S4"), DIGITS).view(np.uint32)
LOWEST = np.concatenate((BARE, PADDED))
"""The lowest four digits of a number below 10,000, and behind those: with zeros in front."""
HIGHER = LOWEST.copy()
HIGHER[0] = 0
"""The same, but nothing at all for 0."""


def decimal_columns(
    numbers: npt.NDArray[Any], lowest: npt.NDArray[Any], highest: npt.NDArray[Any]
) -> list[TextColumn]:
    """Unsigned numbers in decimal.

    Args:
        numbers: shape (columns, n), n at least 1, dtype uint32 (half the work) or uint64.
        lowest: of each column, shape (columns,).
        highest: the same.
    """
    vary = lowest != highest
    words = _decimal_words(numbers if vary.all() else numbers[vary], highest.max())
    texts = iter(words)
    return [
        _without_empty(next(texts), most) if varies else b"%d" % most
        for varies, most in zip(vary.tolist(), highest.tolist(), strict=True)
    ]


def _decimal_words(numbers: npt.NDArray[Any], highest: int) -> Words:
    """Shape (columns, n, words)."""
    count = _word_count(int(highest))
    words, rest, table = np.empty((*numbers.shape, count), np.uint32), numbers, LOWEST
    for place in reversed(range(count)):
        low, higher = _split(rest)
        # Below 10,000 that is the number itself, above it a place in the half with zeros.
        words[:, :, place] = table[np.minimum(rest, low + BASE)]
        rest, table = higher, HIGHER
    return words


def _word_count(number: int) -> int:
    return -(-len(str(number)) // DIGITS)


def _without_empty(words: Words, highest: int) -> npt.NDArray[np.uint8]:
    """A column without the words that are empty on every line."""
    text = words.view(np.uint8)
    return text[:, text.shape[1] - DIGITS * _word_count(highest) :]


def padded_column(numbers: npt.NDArray[Any], digits: int) -> npt.NDArray[np.uint8]:
    """Numbers in decimal with zeros in front; what has more than so many digits loses the first."""
    count = -(-digits // DIGITS)
    words, rest = np.empty((len(numbers), count), np.uint32), numbers
    for place in reversed(range(count)):
        low, rest = _split(rest)
        words[:, place] = PADDED[low]
    return words.view(np.uint8)[:, -digits:]


def _split(numbers: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The lowest four digits, and the rest."""
    rest = numbers // BASE
    return numbers - rest * BASE, rest
