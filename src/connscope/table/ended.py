"""Which connections ended a short while ago: what comes too late may not bring them back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from connscope.table.id_index import ABSENT, IdIndex, are_ids

__all__ = ("Ends", "RecentlyEnded")

Ids = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]


MOST = 1 << 17
"""A generation that is full makes room for the next one, however young it is: at 100,000 ends a
second it still covers more than one."""


class RecentlyEnded:
    """The ids of two generations: what is older can be mentioned by nobody any more."""

    def __init__(self) -> None:
        self._young, self._old = IdIndex(), IdIndex()
        self._added: list[Ids] = []  # not in the index yet: of most nobody will ask
        self._added_count = 0

    def __len__(self) -> int:
        self._index_added()
        return len(self._young) + len(self._old)

    def add(self, ids: Ids) -> None:
        """They end now; what is no id is left out."""
        if len(ids):
            self._added.append(ids)
            self._added_count += len(ids)
            if len(self._young) + self._added_count > MOST:
                self.age()

    def _index_added(self) -> None:
        if self._added:
            ids = np.unique(np.concatenate(self._added))
            self._added, self._added_count = [], 0
            ids = ids[are_ids(ids) & (self._young.find(ids) == ABSENT)]
            self._young.add(ids, np.zeros(len(ids), np.int64))

    def contains(self, ids: Ids) -> Mask:
        """Which of the ids ended in this generation or the one before."""
        self._index_added()
        found = np.zeros(len(ids), np.bool_)
        for generation in (self._young, self._old):
            if len(generation):
                found |= generation.find(ids) != ABSENT
        return found

    def age(self) -> None:
        """Begins a new generation; the last but one is forgotten."""
        self._index_added()
        self._old, self._young = self._young, IdIndex()


class Ends:
    """All that ended a short while ago, by the ids of the tier and by socket.

    Another tier has other ids, so it is told by the socket what the tiers before have told.
    """

    def __init__(self) -> None:
        self._told, self._given_up = RecentlyEnded(), RecentlyEnded()
        self._sockets, self._sockets_before = RecentlyEnded(), RecentlyEnded()

    def add_told(self, ids: Ids, sockets: Ids) -> None:
        """An event said so: whoever shows them as open is late."""
        self._told.add(ids)
        self._sockets.add(sockets)

    def add_given_up(self, ids: Ids, sockets: Ids) -> None:
        """Looks did not show them any more. If one does, they are open after all; but an event
        that tells of their end comes too late.

        Args:
            ids: 0 where this tier has not named the connection yet.
            sockets: of the same.
        """
        self._given_up.add(ids)
        self._sockets.add(sockets)
        self._sockets_before.add(sockets[ids == 0])

    def is_look_late(self, ids: Ids, sockets: Ids) -> Mask:
        """Which rows of a look are of before their end."""
        return self._told.contains(ids) | self._sockets_before.contains(sockets)

    def is_event_late(self, ids: Ids, sockets: Ids) -> Mask:
        """Which events tell nothing new."""
        return self.is_look_late(ids, sockets) | self._given_up.contains(ids)

    def age(self) -> None:
        """Begins a new generation."""
        for ended in (self._told, self._given_up, self._sockets, self._sockets_before):
            ended.age()

    def change_tier(self) -> None:
        """Ids are those of another tier from now on."""
        self._told, self._given_up = RecentlyEnded(), RecentlyEnded()
        self._sockets, self._sockets_before = RecentlyEnded(), self._sockets
