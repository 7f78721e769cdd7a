"""A bounded log of rows: each is stored once, whoever still has to read it."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
import numpy.typing as npt

from connscope.row.columns import ROW, Rows
from connscope.row.words import Group, Kind

__all__ = ("ClosedLog", "Sequences", "are_empty")

WORD_TYPE = np.dtype(np.uint64)
WORDS = ROW.itemsize // WORD_TYPE.itemsize
"""A row is copied as so many words: as a record NumPy would copy it column by column."""

Sequences = npt.NDArray[np.int64]
"""Numbers of rows in the order in which they came, shape (n,)."""

Slots = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]


def are_empty(rows: Rows) -> Mask:
    """Connections on which not a byte was sent or received, shape (n,).

    Where the traffic is not known the zeros say nothing, except that a connect that failed had no
    chance.
    """
    counted = (rows["known"] & np.uint16(Group.TRAFFIC) != 0) | (rows["kind"] == Kind.FAILED)
    empty: Mask = counted & (rows["bytes_sent"] == 0) & (rows["bytes_received"] == 0)
    return empty


class ClosedLog:
    """Rows with numbers, at most `capacity` of them.

    Rows with and without traffic queue apart, so that those that give way are always in front.

    Args:
        capacity: rows; memory is touched as it is used.
        evicts: when it is full the oldest empty connections give way, then the oldest; else the new
            ones do.
    """

    def __init__(self, capacity: int, *, evicts: bool) -> None:
        self._capacity = capacity
        self._evicts = evicts
        self._rows = np.empty((capacity, WORDS), WORD_TYPE)
        self._free = np.arange(capacity, dtype=np.int64)
        self._free_count = capacity
        self._queues = (_Queue(capacity), _Queue(capacity))  # the empty ones give way first
        self.next_sequence = 0

    def __len__(self) -> int:
        return self._capacity - self._free_count

    def append(self, rows: Rows) -> Sequences:
        """Stores rows; returns the numbers of those that were dropped for it, in order.

        They may be among the new ones.
        """
        sequences = np.arange(self.next_sequence, self.next_sequence + len(rows), dtype=np.int64)
        self.next_sequence += len(rows)
        if self._evicts:
            return self._append_all(rows, sequences)
        room = self._free_count
        self._append_all(rows[:room], sequences[:room])
        return sequences[room:]

    def _append_all(self, rows: Rows, sequences: Sequences) -> Sequences:
        overflow = max(0, len(rows) - self._free_count)
        words = np.ascontiguousarray(rows).view(WORD_TYPE).reshape(-1, WORDS)
        empty = are_empty(rows)
        dropped, kept = [np.empty(0, np.int64)], list[npt.NDArray[np.intp]]()
        for queue, mask in zip(self._queues, (empty, ~empty), strict=True):
            chosen = np.flatnonzero(mask)
            old = min(overflow, len(queue))
            new = min(overflow - old, len(chosen))
            overflow -= old + new
            dropped += [self._pop(queue, old), sequences[chosen[:new]]]
            kept.append(chosen[new:])
        for queue, chosen in zip(self._queues, kept, strict=True):
            self._push(queue, words[chosen], sequences[chosen])
        return np.sort(np.concatenate(dropped))

    def _push(self, queue: _Queue, words: Words, sequences: Sequences) -> None:
        self._free_count -= len(words)
        slots = self._free[self._free_count : self._free_count + len(words)]
        self._rows[slots] = words
        queue.append(slots, sequences)

    def _pop(self, queue: _Queue, count: int) -> Sequences:
        slots, sequences = queue.pop(count)
        self._free[self._free_count : self._free_count + count] = slots
        self._free_count += count
        return sequences

    def since(self, sequence: int) -> Rows:
        """A copy of the rows with this number or a higher one, in order."""
        parts = [queue.since(sequence) for queue in self._queues]
        slots, sequences = (np.concatenate(part) for part in zip(*parts, strict=True))
        order = np.argsort(sequences, kind="stable")
        rows: Rows = self._rows[slots[order]].view(ROW)[:, 0]
        return rows

    def drop_before(self, sequence: int) -> None:
        """Forgets the rows with lower numbers."""
        for queue in self._queues:
            self._pop(queue, queue.count_before(sequence))


class _Queue:
    """Slots and numbers of rows, the oldest in front."""

    def __init__(self, capacity: int) -> None:
        self._slots = np.empty(capacity, np.int64)
        self._sequences = np.empty(capacity, np.int64)
        self._head = self._count = 0

    def __len__(self) -> int:
        return self._count

    def _places(self, start: int, count: int) -> npt.NDArray[np.int64]:
        first = self._head + start
        return np.arange(first, first + count, dtype=np.int64) % len(self._slots)

    def append(self, slots: Slots, sequences: Sequences) -> None:
        places = self._places(self._count, len(slots))
        self._slots[places], self._sequences[places] = slots, sequences
        self._count += len(slots)

    def pop(self, count: int) -> tuple[Slots, Sequences]:
        places = self._places(0, count)
        self._head = (self._head + count) % len(self._slots)
        self._count -= count
        return self._slots[places], self._sequences[places]

    def since(self, sequence: int) -> tuple[Slots, Sequences]:
        before = self.count_before(sequence)
        places = self._places(before, self._count - before)
        return self._slots[places], self._sequences[places]

    def count_before(self, sequence: int) -> int:
        capacity = len(self._slots)
        return bisect_left(
            range(self._count),
            sequence,
            key=lambda place: self._sequences[(self._head + place) % capacity],
        )
