"""Numbers for things that are known by many bytes: processes, addresses, edges, connections."""

from __future__ import annotations

import secrets

import numpy as np
import numpy.typing as npt

__all__ = ("Integers", "KeyIndex", "Keys", "distinct", "halves", "mixed")

Keys = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.intp]

SEED = np.uint64(secrets.randbits(64))
ODD = np.uint64(secrets.randbits(64) | 1)
FOLD = np.uint64(32)
"""Secret, so that nobody can send us things that get the same key."""


def mixed(*columns: npt.NDArray[np.generic]) -> Keys:
    """One key for the values of each row.

    Args:
        columns: unsigned or boolean, shape (n,) each.
    """
    with np.errstate(over="ignore"):
        keys = np.full(len(columns[0]), SEED, np.uint64)
        for column in columns:
            keys ^= column.astype(np.uint64)
            keys *= ODD
            keys ^= keys >> FOLD
            keys *= ODD
            keys ^= keys >> FOLD
    return keys


def halves(column: npt.NDArray[np.generic]) -> tuple[Keys, Keys]:
    """A column of 16 bytes, as address and comm are, as two words."""
    words = np.ascontiguousarray(column).view(np.uint8).reshape(-1, 16).view(np.uint64)
    return words[:, 0], words[:, 1]


def distinct(*slots: Integers) -> Integers:
    """Each number of several arrays once, in order; they are small, but there may be many."""
    size = 1 + max((int(part.max()) for part in slots if len(part)), default=-1)
    marks = np.zeros(size, np.bool_)
    for part in slots:
        marks[part] = True
    return np.flatnonzero(marks)


class KeyIndex:
    """Gives every key a number, from 0 on; a key that comes again has the one it had."""

    def __init__(self) -> None:
        self._keys: Keys = np.zeros(0, np.uint64)
        self._numbers: Integers = np.zeros(0, np.intp)

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, keys: Keys) -> Integers:
        """The number of each key, -1 of one that was never given."""
        if not len(self._keys):
            return np.full(len(keys), -1, np.intp)
        places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        found: Integers = np.where(self._keys[places] == keys, self._numbers[places], -1)
        return found

    def give(self, keys: Keys) -> tuple[Integers, Integers]:
        """The number of each key, a new one if it has none yet.

        Returns:
            The numbers, shape (n,); and of each key that is new, in the order of their numbers,
            where it stands among the keys.
        """
        numbers = self.find(keys)
        missing = np.flatnonzero(numbers < 0)
        if not len(missing):
            return numbers, missing
        fresh, first, places = np.unique(keys[missing], return_index=True, return_inverse=True)
        given = np.arange(len(self._keys), len(self._keys) + len(fresh), dtype=np.intp)
        numbers[missing] = given[places]
        where = np.searchsorted(self._keys, fresh)
        self._keys = np.insert(self._keys, where, fresh)
        self._numbers = np.insert(self._numbers, where, given)
        return numbers, missing[first]
