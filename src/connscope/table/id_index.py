"""Where in the table each connection is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ("ABSENT", "IdIndex", "are_ids")

Ids = npt.NDArray[np.uint64]
Slots = npt.NDArray[np.int64]

ABSENT = -1
EMPTY, REMOVED = np.uint64(0), np.uint64(0xFFFFFFFFFFFFFFFF)
CELLS_MIN = 1024
# Cookies follow one another; this takes neighbours far apart (Knuth, TAOCP 6.4).
GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def are_ids(ids: Ids) -> npt.NDArray[np.bool_]:
    """Which of the numbers can be ids: the index needs two of them for itself."""
    mask: npt.NDArray[np.bool_] = (ids != EMPTY) & (ids != REMOVED)
    return mask


class IdIndex:
    """Finds slots by id: a hash table with open addressing, a batch at a time.

    A sorted array would be moved as a whole with each batch; a dict takes a Python object for each
    id, and ten times the memory.
    """

    def __init__(self) -> None:
        self._count = self._filled = 0
        self._make_cells(CELLS_MIN)

    def __len__(self) -> int:
        return self._count

    def _make_cells(self, cells: int) -> None:
        self._ids = np.zeros(cells, np.uint64)
        self._slots = np.zeros(cells, np.int64)
        self._shift = np.uint64(64 - (cells.bit_length() - 1))
        self._mask = np.int64(cells - 1)

    def _first_cells(self, ids: Ids) -> npt.NDArray[np.int64]:
        return (ids * GOLDEN >> self._shift).astype(np.int64)

    def find(self, ids: Ids) -> Slots:
        """The slot of each id, `ABSENT` where there is none and for what is no id; shape (n,)."""
        return self._look_up(ids, self._slots)

    def _look_up(self, ids: Ids, values: npt.NDArray[np.int64] | None) -> Slots:
        """What stands with each id, without `values` the number of its cell."""
        found = np.full(len(ids), ABSENT, np.int64)
        waiting = np.flatnonzero(are_ids(ids))
        cells = self._first_cells(ids[waiting])
        while len(waiting):
            there = self._ids[cells]
            hit = there == ids[waiting]
            found[waiting[hit]] = cells[hit] if values is None else values[cells[hit]]
            goes_on = ~hit & (there != EMPTY)
            waiting, cells = waiting[goes_on], cells[goes_on] + 1 & self._mask
        return found

    def add(self, ids: Ids, slots: Slots) -> None:
        """Takes in ids that are not there yet, each once."""
        if (self._filled + len(ids)) * 2 > len(self._ids):
            self._rebuild(self._count + len(ids))
        self._put(ids, slots)
        self._count += len(ids)

    def _put(self, ids: Ids, slots: Slots) -> None:
        waiting, cells = np.arange(len(ids)), self._first_cells(ids)
        while len(waiting):
            there = self._ids[cells]
            empty = there == EMPTY
            free = empty | (there == REMOVED)
            self._ids[cells[free]] = ids[waiting[free]]
            # Of several that want the same cell the last one has got it.
            won = free & (self._ids[cells] == ids[waiting])
            self._slots[cells[won]] = slots[waiting[won]]
            self._filled += int((won & empty).sum())
            waiting, cells = waiting[~won], cells[~won] + 1 & self._mask

    def remove(self, ids: Ids) -> None:
        """Forgets ids that are there, each once."""
        cells = self._look_up(ids, None)
        self._ids[cells] = REMOVED
        self._count -= len(ids)
        if len(self._ids) > CELLS_MIN and self._count * 16 < len(self._ids):
            self._rebuild(self._count)

    def _rebuild(self, count: int) -> None:
        """Makes cells for so many ids, and leaves the removed ones behind."""
        held = are_ids(self._ids)
        ids, slots = self._ids[held], self._slots[held]
        self._make_cells(max(CELLS_MIN, 1 << (4 * count - 1).bit_length()))
        self._filled = 0
        self._put(ids, slots)
