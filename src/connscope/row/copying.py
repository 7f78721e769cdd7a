"""Rows copied as whole pieces of memory: NumPy copies a record column by column, which takes five
times as long."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.row.columns import ROW, Rows

__all__ = ("put_rows", "take_rows")

WHOLE = np.dtype((np.void, ROW.itemsize))

Which = npt.NDArray[Any]


def take_rows(rows: Rows, which: Which) -> Rows:
    """A copy of some rows, chosen by numbers or by a mask."""
    taken: Rows = np.ascontiguousarray(rows).view(WHOLE)[which].view(ROW)
    return taken


def put_rows(rows: Rows, which: Which, values: Rows) -> None:
    """Replaces some rows; `rows` has to be contiguous."""
    rows.view(WHOLE)[which] = np.ascontiguousarray(values).view(WHOLE)
