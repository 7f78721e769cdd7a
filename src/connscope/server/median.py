"""Medians of many groups at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.server.keys import Integers

__all__ = ("medians",)

FEW = 1 << 16
BUCKETS = 129
BUCKETS_MOST = 1 << 22
BUCKETS_OF_OCTAVE = 4


def medians(groups: Integers, values: npt.NDArray[Any], size: int) -> npt.NDArray[np.int64]:
    """The lower median of the values of each group, 0 of one without any.

    Args:
        groups: of each value, from 0 to `size` - 1; shape (n,).
        values: above 0, below 2**32; shape (n,).
        size: how many groups there are.
    """
    if len(values) <= FEW or size * BUCKETS > BUCKETS_MOST:
        counts = np.bincount(groups, minlength=size)
        return _picked(groups, values, (counts - 1) // 2, counts)
    # Only the values of the bucket that has the median are sorted.
    buckets = (np.log2(values, dtype=np.float32) * BUCKETS_OF_OCTAVE).astype(np.intp)
    histogram = np.bincount(groups * BUCKETS + buckets, minlength=size * BUCKETS)
    below = np.cumsum(histogram.reshape(size, BUCKETS), axis=1)
    rank = (below[:, -1] - 1) // 2
    wanted = (below <= rank[:, None]).sum(axis=1)
    wanted = np.minimum(wanted, BUCKETS - 1)
    start = np.where(wanted > 0, below[np.arange(size), wanted - 1], 0)
    inside = buckets == wanted[groups]
    groups, values = groups[inside], values[inside]
    return _picked(groups, values, rank - start, np.bincount(groups, minlength=size))


def _picked(
    groups: Integers, values: npt.NDArray[Any], ranks: Integers, counts: Integers
) -> npt.NDArray[np.int64]:
    """The value of that rank among the sorted ones of each group."""
    keys = np.sort(groups.astype(np.uint64) << np.uint64(32) | values.astype(np.uint64))
    starts = np.cumsum(counts) - counts
    found = np.zeros(len(counts), np.int64)
    some = counts > 0
    found[some] = (keys[(starts + ranks)[some]] & np.uint64(0xFFFFFFFF)).astype(np.int64)
    return found
