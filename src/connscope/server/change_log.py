"""Which slots have changed since somebody last asked."""

from __future__ import annotations

from collections import deque
from itertools import islice

from connscope.server.keys import Integers, distinct

__all__ = ("ChangeLog",)

KEPT_AT_LEAST = 1 << 20


class ChangeLog:
    """Slots that changed, in the order of the changes; whoever asks too late looks at all."""

    def __init__(self) -> None:
        self._batches = deque[Integers]()
        self._kept = 0
        self._begin = 0

    @property
    def position(self) -> int:
        """What to ask with later, for what comes from now on."""
        return self._begin + len(self._batches)

    def add(self, slots: Integers) -> None:
        """These have changed."""
        if not len(slots):
            return
        self._batches.append(slots)
        self._kept += len(slots)
        while self._kept > KEPT_AT_LEAST and len(self._batches) > 1:
            self._kept -= len(self._batches.popleft())
            self._begin += 1

    def since(self, position: int) -> Integers | None:
        """Each slot that changed since, once, in order; None if that is not known any more."""
        if position < self._begin:
            return None
        return distinct(*islice(self._batches, position - self._begin, None))
