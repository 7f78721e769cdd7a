"""Many lines of text made at once: each piece of a line is a column for all lines.

So a number is written without a Python object for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ("Mask", "TextColumn", "TextRows", "is_constant", "looked_up_column")

TextColumn = bytes | npt.NDArray[np.uint8]
"""What is the same on all lines; or bytes of shape (n, width), filled up with NUL, which is dropped
when the lines are joined."""

Mask = npt.NDArray[np.bool_]
"""Shape (n,): on which lines."""


class TextRows:
    """Lines that grow to the right, all at the same time.

    Args:
        count: how many lines.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._width = 0
        self._alike: list[bytes] = []
        self._varying: list[tuple[slice, npt.NDArray[np.uint8]]] = []
        self._absent: list[tuple[slice, Mask]] = []

    def add(self, *pieces: str | TextColumn, where: bool | Mask = True) -> None:
        """Appends the pieces one after the other, on all lines, on none, or on those of a mask."""
        if where is False:
            return
        start = self._width
        for piece in pieces:
            self._append(piece.encode() if isinstance(piece, str) else piece)
        if where is not True:
            self._absent.append((slice(start, self._width), ~where))

    def _append(self, piece: TextColumn) -> None:
        if isinstance(piece, bytes):
            self._alike.append(piece)
            self._width += len(piece)
            return
        width = piece.shape[1]
        self._alike.append(bytes(width))
        self._varying.append((slice(self._width, self._width + width), piece))
        self._width += width

    def text(self) -> str:
        """All lines, one after the other."""
        lines = np.empty((self._count, self._width), np.uint8)
        lines[:] = np.frombuffer(b"".join(self._alike), np.uint8)
        for place, column in self._varying:
            lines[:, place] = column
        for place, absent in self._absent:
            lines[absent, place] = 0
        flat = lines.reshape(-1)
        return str(flat[flat != 0].data, "utf-8")


def is_constant(values: npt.NDArray[Any]) -> bool:
    """True if all values are the same, of which there is at least one."""
    return bool((values == values[0]).all())


def looked_up_column(values: npt.NDArray[Any], make: Callable[[bytes], str]) -> TextColumn:
    """What `make` says of each value, asked once for each that differs.

    Args:
        values: shape (n,), of a void dtype; at least one.
        make: its text may not contain NUL.
    """
    keys = values.tolist()
    places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    if len(places) == 1:
        return make(keys[0]).encode()
    texts = np.array([make(key).encode() for key in places])
    places_of_rows = np.fromiter(map(places.__getitem__, keys), np.intp, len(keys))
    return texts[places_of_rows].view(np.uint8).reshape(len(keys), -1)
