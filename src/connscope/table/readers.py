"""Who still has to read which closed connections: each reader gets each of them once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from connscope.row.columns import Rows
from connscope.row.words import Kind
from connscope.table.closed_log import ClosedLog, Sequences

__all__ = ("Readers", "ReadersCounters", "Taken")


class Taken(NamedTuple):
    """What a reader gets.

    Attributes:
        rows: in the order in which they were stored.
        dropped: how many it missed since it last asked.
    """

    rows: Rows
    dropped: int


@dataclass(frozen=True, slots=True)
class ReadersCounters:
    """Since the beginning, where nothing else is said.

    Attributes:
        readers: how many there are now.
        waiting: rows that some reader has not taken yet, now.
        stored: rows that came while somebody was there to read them.
        dropped: rows that some reader missed, each counted once.
        dropped_for: how many each reader of now missed since it came.
        expired: readers that were forgotten because they did not ask.
    """

    readers: int
    waiting: int
    stored: int
    dropped: int
    dropped_for: Mapping[str, int]
    expired: int


@dataclass(slots=True)
class _Reader:
    position: int
    asked_s: float
    dropped: int = 0
    told: int = 0


class Readers:
    """Keeps closed and failed connections until every reader has taken them.

    A reader is known by its name from the first time that it asks, and gets what is stored from
    then on. What nobody is there to read is not kept.

    Args:
        capacity: how many rows are kept at most.
        when_full: what gives way then: ``evict_empty`` the oldest connections without any byte,
            then the oldest; ``refuse`` the new ones.
        expires_s: a reader that has not asked for longer is forgotten. All times are seconds of one
            clock that does not go back.
    """

    def __init__(
        self, capacity: int, when_full: Literal["evict_empty", "refuse"], expires_s: float
    ) -> None:
        self._log = ClosedLog(capacity, evicts=when_full == "evict_empty")
        self._expires_s = expires_s
        self._readers = dict[str, _Reader]()
        self._stored = self._dropped = self._expired = 0

    def register(self, name: str, now_s: float) -> None:
        """From now on rows are kept for this reader; one that is known has asked."""
        self._expire(now_s)
        self._asked(name, now_s)

    def _asked(self, name: str, now_s: float) -> _Reader:
        reader = self._readers.setdefault(name, _Reader(self._log.next_sequence, now_s))
        reader.asked_s = now_s
        return reader

    def store(self, rows: Rows, now_s: float) -> None:
        """Keeps the closed and failed connections among the rows for all readers there are."""
        self._expire(now_s)
        ended = (rows["kind"] == Kind.CLOSED) | (rows["kind"] == Kind.FAILED)
        ended |= rows["kind"] == Kind.IDLE
        if not self._readers or not ended.any():
            return
        chosen = rows if ended.all() else rows[ended]
        self._stored += len(chosen)
        self._count_dropped(self._log.append(chosen))

    def _count_dropped(self, dropped: Sequences) -> None:
        """Every one of them was missed by somebody: what all have taken is not kept."""
        self._dropped += len(dropped)
        for reader in self._readers.values():
            reader.dropped += len(dropped) - int(np.searchsorted(dropped, reader.position))

    def take(self, name: str, now_s: float) -> Taken:
        """What was stored for this reader since it last asked; nothing for a new one."""
        self._expire(now_s)
        reader = self._asked(name, now_s)
        rows = self._log.since(reader.position)
        missed = reader.dropped - reader.told
        reader.position, reader.told = self._log.next_sequence, reader.dropped
        self._drop_taken()
        return Taken(rows, missed)

    def forget(self, name: str) -> None:
        """Nothing is kept for this reader any more; one that is not known is none."""
        if self._readers.pop(name, None):
            self._drop_taken()

    def _expire(self, now_s: float) -> None:
        """Before anything is stored or counted, so that what the expired would miss is no loss."""
        late = [
            name
            for name, reader in self._readers.items()
            if now_s - reader.asked_s > self._expires_s
        ]
        for name in late:
            del self._readers[name]
        if late:
            self._expired += len(late)
            self._drop_taken()

    def _drop_taken(self) -> None:
        positions = (reader.position for reader in self._readers.values())
        self._log.drop_before(min(positions, default=self._log.next_sequence))

    def counters(self) -> ReadersCounters:
        """The numbers as they are now."""
        return ReadersCounters(
            readers=len(self._readers),
            waiting=len(self._log),
            stored=self._stored,
            dropped=self._dropped,
            dropped_for={name: reader.dropped for name, reader in self._readers.items()},
            expired=self._expired,
        )
