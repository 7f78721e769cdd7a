"""Columns of unsigned numbers, made small for a compressor, and back; nothing is lost.

A compressor of bytes finds little in numbers side by side: the upper bytes of most are zero, the
lower ones are noise. Apart, the first cost nothing and the second what they are worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.errors import ReportError

__all__ = ("MOST", "Bytes", "Numbers", "bytes_apart", "joined", "steps", "summed")

Bytes = npt.NDArray[np.uint8]
"""One byte of each value, shape (n,)."""

Numbers = npt.NDArray[Any]
"""An unsigned column, shape (n,)."""

MOST = 1 << 62
"""Steps are made of numbers below this one."""

ONE, SIGN_SHIFT = np.uint64(1), np.int64(63)


def bytes_apart(values: Numbers) -> dict[int, Bytes]:
    """The bytes of each value by their place, 0 the lowest; those that are zero everywhere are not
    there."""
    apart = values.astype(values.dtype.newbyteorder("<"), copy=False).view(np.uint8)
    apart = apart.reshape(len(values), values.itemsize)
    highest = int(values.max(initial=0)).bit_length()
    places = range((highest + 7) // 8)
    columns = {place: np.ascontiguousarray(apart[:, place]) for place in places}
    return {place: column for place, column in columns.items() if column.any()}


def joined(columns: Mapping[int, Bytes], dtype: npt.DTypeLike, count: int) -> Numbers:
    """The values of their bytes.

    Raises:
        ReportError: there are more bytes than the type has.
    """
    dtype = np.dtype(dtype)
    apart = np.zeros((count, dtype.itemsize), np.uint8)
    for place, column in columns.items():
        if place >= dtype.itemsize:
            raise ReportError(f"byte {place} of a value that has {dtype.itemsize}")
        apart[:, place] = column
    values: Numbers = apart.view(dtype.newbyteorder("<"))[:, 0].astype(dtype, copy=False)
    return values


def steps(values: Numbers) -> Numbers:
    """Of each value the difference to the one before, where 0 (unknown) is skipped and stays 0.

    The sign is in the lowest bit, and 1 is added: 1, 2, 3, 4 are +0, -1, +1, -2.

    Raises:
        ReportError: a value is too large.
    """
    if values.max(initial=0) >= MOST:
        raise ReportError(f"a number that is not below {MOST} can not be told")
    known = values != 0
    differences = np.diff(values[known].astype(np.int64), prepend=np.int64(0))
    told = np.zeros(len(values), np.uint64)
    told[known] = ((differences << 1) ^ (differences >> SIGN_SHIFT)).view(np.uint64) + ONE
    return told


def summed(told: Numbers, dtype: npt.DTypeLike) -> Numbers:
    """The values of their `steps`.

    Raises:
        ReportError: a value is 0, negative or more than the type holds.
    """
    known = told != 0
    signed = told[known] - ONE
    differences = (signed >> ONE).view(np.int64) ^ -(signed & ONE).view(np.int64)
    found = np.cumsum(differences)
    if len(found) and not 0 < found.min() <= found.max() <= min(np.iinfo(dtype).max, MOST):
        raise ReportError("steps lead out of the range of their column")
    values: Numbers = np.zeros(len(told), dtype)
    values[known] = found
    return values
