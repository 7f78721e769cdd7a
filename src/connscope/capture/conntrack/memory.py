"""What was known of flows when they began: who owned the socket, and when it was."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from connscope.row.columns import ROW, Rows
from connscope.row.words import Group
from connscope.table.id_index import ABSENT, IdIndex

__all__ = ("FlowMemory",)

OWNER = ("pid", "process_start_ns", "comm", "owner_evidence", "uid", "cgroup_id")
KEPT = np.dtype(
    [("id", np.uint64), ("missed", np.uint8)]
    + [(name, ROW[name]) for name in (*OWNER, "opened_ns")]
)
ROOM_MIN = 1024
PATIENCE = 2
"""So many looks in a row that do not show a flow, whose end may have been lost."""


class FlowMemory:
    """Remembers flows from their beginning to their end; 58 bytes for each."""

    def __init__(self) -> None:
        self._index = IdIndex()
        self._kept = np.zeros(0, KEPT)
        self._free: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._grow(ROOM_MIN)

    def __len__(self) -> int:
        return len(self._index)

    def _grow(self, size: int) -> None:
        larger = np.zeros(size, KEPT)
        larger[: len(self._kept)] = self._kept
        more = np.arange(len(self._kept), size)
        self._kept, self._free = larger, np.concatenate((self._free, more))

    def remember(self, rows: Rows) -> None:
        """Takes in flows that are open; of one that is known already what was not known of it."""
        ids, at = np.unique(rows["connection_id"], return_index=True)
        slots, rows = self._index.find(ids), rows[at]
        new = slots == ABSENT
        slots[new] = self._take_slots(int(new.sum()))
        self._index.add(ids[new], slots[new])
        self._kept[slots[new]] = np.zeros(1, KEPT)
        self._kept["id"][slots] = ids
        for names in (OWNER, ("opened_ns",)):
            first = names[0]
            learned = (self._kept[first][slots] == 0) & (rows[first] > 0)
            self._copy(rows, slots, names, new | learned)

    def _take_slots(self, count: int) -> npt.NDArray[np.int64]:
        if count > len(self._free):
            self._grow((len(self._kept) + count) * 2)
        taken, self._free = self._free[:count], self._free[count:]
        return taken

    def _copy(
        self,
        rows: Rows,
        slots: npt.NDArray[np.int64],
        names: tuple[str, ...],
        where: npt.NDArray[np.bool_],
    ) -> None:
        for name in names:
            self._kept[name][slots[where]] = rows[name][where]

    def has(self, ids: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        """Which of the flows are remembered."""
        held: npt.NDArray[np.bool_] = self._index.find(ids) != ABSENT
        return held

    def recall(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Writes into rows of flows what was known when they began; which of them were known.

        Who had the port then is the owner: somebody else may have it now.
        """
        slots = self._index.find(rows["connection_id"])
        at = np.flatnonzero(slots != ABSENT)
        kept = self._kept[slots[at]]
        owned = kept["pid"] > 0
        for name in OWNER:
            rows[name][at[owned]] = kept[name][owned]
        rows["known"][at[owned]] |= np.uint16(Group.OWNER)
        began = (rows["opened_ns"][at] == 0) & (kept["opened_ns"] > 0)
        rows["opened_ns"][at[began]] = kept["opened_ns"][began]
        rows["known"][at[began]] |= np.uint16(Group.LIFE)
        held: npt.NDArray[np.bool_] = slots != ABSENT
        return held

    def forget(self, ids: npt.NDArray[np.uint64]) -> None:
        """These are over; those that are not known are left out."""
        ids = np.unique(ids)
        slots = self._index.find(ids)
        known = slots != ABSENT
        self._index.remove(ids[known])
        self._kept["id"][slots[known]] = 0
        self._free = np.concatenate((slots[known], self._free))

    def compare(self, shown: Rows) -> None:
        """Forgets what two looks in a row have not shown."""
        missing = (self._kept["id"] > 0) & ~np.isin(self._kept["id"], shown["connection_id"])
        self._kept["missed"] = np.where(missing, self._kept["missed"] + 1, 0)
        self.forget(self._kept["id"][self._kept["missed"] >= PATIENCE])
