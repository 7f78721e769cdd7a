"""Numbers for ends, to find the same ones by."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ("Addresses", "Keys", "address_words", "mixed")

Keys = npt.NDArray[np.uint64]
Addresses = npt.NDArray[np.uint8]
"""Shape (n, 16)."""

START = np.uint64(0x9E3779B97F4A7C15)


def address_words(addresses: Addresses) -> tuple[Keys, Keys]:
    """Both halves of each address."""
    words = np.ascontiguousarray(addresses).view(np.uint64).reshape(-1, 2)
    return words[:, 0], words[:, 1]


def mixed(*columns: npt.NDArray[Any] | int) -> Keys:
    """One number for what stands in a row of the columns; others have another, all but surely.

    Args:
        columns: of unsigned integers, the first of shape (n,); or one number for all rows.
    """
    found: Keys = np.full(len(np.atleast_1d(columns[0])), START)
    for column in columns:
        found = (found ^ np.asarray(column, np.uint64)) * np.uint64(0xBF58476D1CE4E5B9)
        found = (found ^ found >> np.uint64(29)) * np.uint64(0x94D049BB133111EB)
        found ^= found >> np.uint64(32)
    return found
