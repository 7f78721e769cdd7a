"""The numbers of rows as text, all columns at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.row.columns import Rows
from connscope.row.decimals import decimal_columns
from connscope.row.text_rows import Mask, TextColumn

__all__ = ("NumberTexts",)

WORD = np.dtype(np.uint32)


class NumberTexts:
    """The text of some columns, and on which lines each is more than 0.

    Args:
        rows: at least one.
        names: of unsigned columns.
    """

    def __init__(self, rows: Rows, names: tuple[str, ...]) -> None:
        columns = {name: rows[name] for name in names}
        wide = [name for name in names if _needs_64_bits(columns[name])]
        narrow = [name for name in names if name not in wide]
        self._texts: dict[str, TextColumn] = {}
        self._above_zero: dict[str, bool | Mask] = {}
        for group, dtype in ((narrow, np.uint32), (wide, np.uint64)):
            if group:
                self._convert(group, np.array([columns[name] for name in group], dtype))

    def _convert(self, names: list[str], numbers: npt.NDArray[Any]) -> None:
        lowest, highest = numbers.min(axis=1), numbers.max(axis=1)
        self._texts.update(zip(names, decimal_columns(numbers, lowest, highest), strict=True))
        for place, name in enumerate(names):
            above = bool(highest[place])
            if above and not lowest[place]:
                self._above_zero[name] = numbers[place] > 0
            else:
                self._above_zero[name] = above

    def text(self, name: str) -> TextColumn:
        """The column in decimal."""
        return self._texts[name]

    def above_zero(self, name: str) -> bool | Mask:
        """On which lines the number is more than 0: on none, on all, or on those of the mask."""
        return self._above_zero[name]


def _needs_64_bits(numbers: npt.NDArray[Any]) -> bool:
    return numbers.dtype.itemsize > WORD.itemsize and int(numbers.max()) >> 32 != 0
