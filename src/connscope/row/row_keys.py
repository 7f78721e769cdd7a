"""Some bytes of each row as one value, to look up what many rows have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.row.columns import ROW, Rows

__all__ = ("FEW", "key_dtype", "neighbours", "row_keys")

Places = tuple[slice, np.dtype[np.void]]
"""Where columns are in the bytes of a row, and what they are."""


def neighbours(first: str, last: str) -> Places:
    """Columns that are next to each other, from one to another."""
    names = list(ROW.names or ())
    names = names[names.index(first) : names.index(last) + 1]
    offsets = {name: field[1] for name, field in (ROW.fields or {}).items()}
    place = slice(offsets[first], offsets[last] + ROW[last].itemsize)
    return place, np.dtype([(name, ROW[name]) for name in names])


FEW = neighbours("error", "left_state")
"""From there on a row takes few different values: one look-up answers for all of them."""


def row_keys(rows: Rows, *places: Places) -> npt.NDArray[Any]:
    """Shape (n,), of a void dtype: what stands at those places, one after the other.

    `numpy.frombuffer` makes columns of its bytes again, with `key_dtype`.
    """
    content = np.ascontiguousarray(rows).view(np.uint8).reshape(-1, ROW.itemsize)
    keys = np.concatenate([content[:, place] for place, _ in places], axis=1)
    return keys.view(f"V{keys.shape[1]}")[:, 0]


def key_dtype(*places: Places) -> np.dtype[np.void]:
    """Of what `row_keys` makes of the same places."""
    return np.dtype([field for _, dtype in places for field in dtype.descr])
