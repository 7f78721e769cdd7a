"""Keys of several columns: which rows have the same one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from connscope.row.columns import Rows

__all__ = ("Numbers", "Words", "address_words", "are_among", "is_loopback", "is_v4", "numbered")

Words = npt.NDArray[np.uint64]
"""A column of a key, shape (n,)."""

Numbers = npt.NDArray[np.int64]
"""One small number for each key, shape (n,)."""

Mask = npt.NDArray[np.bool_]

ODD = np.uint64(0x9E3779B97F4A7C15)
"""Multiplied with it, the upper bits of a product depend on all bits below."""
HALF = np.uint64(32)

MAPPED = np.frombuffer(bytes(8) + b"\0\0\xff\xff" + bytes(4), np.uint64)
MAPPED_MASK = np.frombuffer(bytes(8) + b"\xff" * 4 + bytes(4), np.uint64)[1]
MAPPED_LOOPBACK = np.frombuffer(bytes(10) + b"\xff\xff\x7f\0\0\0", np.uint64)
MAPPED_LOOPBACK_MASK = np.frombuffer(bytes(8) + b"\xff\xff\xff\xff\xff\0\0\0", np.uint64)[1]
LOOPBACK = np.frombuffer(bytes(15) + b"\x01", np.uint64)


def address_words(rows: Rows, name: str) -> tuple[Words, Words]:
    """A column of addresses as two columns of words."""
    words: Words = np.ascontiguousarray(rows[name]).view(np.uint64).reshape(-1, 2)
    return np.ascontiguousarray(words[:, 0]), np.ascontiguousarray(words[:, 1])


def is_v4(address: tuple[Words, Words]) -> Mask:
    """Addresses of IPv4."""
    first, second = address
    mapped: Mask = (first == 0) & (second & MAPPED_MASK == MAPPED[1])
    return mapped


def is_loopback(address: tuple[Words, Words]) -> Mask:
    """127.0.0.0/8 and ::1."""
    first, second = address
    mapped = second & MAPPED_LOOPBACK_MASK == MAPPED_LOOPBACK[1]
    loopback: Mask = (first == 0) & (mapped | (second == LOOPBACK[1]))
    return loopback


def numbered(columns: Sequence[Words]) -> Numbers:
    """Numbers the keys from 0 on without a gap: equal keys have equal numbers, others have not.

    Keys are sorted by a hash, which is one column instead of all; where two keys have the same hash
    all columns are sorted.
    """
    hashes = np.zeros_like(columns[0])
    for column in columns:
        hashes = (hashes ^ column) * ODD
        hashes ^= hashes >> HALF
    order = np.argsort(hashes)
    is_new = _differ_from_the_last(columns, order)
    if (is_new & ~_differ_from_the_last((hashes,), order)).any():
        order = np.lexsort(columns)
        is_new = _differ_from_the_last(columns, order)
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.cumsum(is_new) - is_new[:1]
    return numbers


def _differ_from_the_last(columns: Sequence[Words], order: npt.NDArray[np.intp]) -> Mask:
    """The first one counts as different."""
    differ = np.ones(len(order), np.bool_)
    differ[1:] = False
    for column in columns:
        ordered = column[order]
        differ[1:] |= ordered[1:] != ordered[:-1]
    return differ


def are_among(columns: Sequence[Words], others: Sequence[Words]) -> Mask:
    """Which keys are also among the others, shape (n,)."""
    count = len(columns[0])
    both = [np.concatenate(pair) for pair in zip(columns, others, strict=True)]
    numbers = numbered(both)
    is_there = np.zeros(len(numbers), np.bool_)
    is_there[numbers[count:]] = True
    mask: Mask = is_there[numbers[:count]]
    return mask
