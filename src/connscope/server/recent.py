"""What happened in the last seconds, by second, so that it can be forgotten again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.server.keys import Integers

__all__ = ("COUNTERS", "Recent", "Second", "Seconds")

COUNTERS = ("bytes_sent", "bytes_received", "retransmits", "segments_sent")
"""Columns of a row that only grow; what they grew by is noted."""

Amounts = npt.NDArray[Any]
"""Shape (n, 4), dtype float64: what each of COUNTERS grew by."""


@dataclass(slots=True)
class Second:
    """Slots of connections to which something happened in a second."""

    time_s: int
    opened: list[Integers] = field(default_factory=list)
    closed: list[Integers] = field(default_factory=list)
    failed: list[Integers] = field(default_factory=list)
    ended: list[Integers] = field(default_factory=list)
    moved: list[Integers] = field(default_factory=list)
    amounts: list[Amounts] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Recent:
    """The same for some seconds; a slot stands in `moved` once for each report that it moved in."""

    opened: Integers
    closed: Integers
    failed: Integers
    moved: Integers
    amounts: Amounts


class Seconds:
    """The last seconds.

    Args:
        window_s: how many are kept.
    """

    def __init__(self, window_s: int) -> None:
        self._window_s = window_s
        self._seconds = deque[Second]()

    def current(self, now_s: float) -> Second:
        """The second that it is."""
        time_s = int(now_s)
        if not self._seconds or self._seconds[-1].time_s < time_s:
            self._seconds.append(Second(time_s))
        return self._seconds[-1]

    def expired(self, now_s: float) -> Integers:
        """Slots of what ended before the window; they are told once."""
        oldest = int(now_s) - self._window_s
        gone = list[Integers]()
        while self._seconds and self._seconds[0].time_s <= oldest:
            gone += self._seconds.popleft().ended
        return _joined(gone)

    def last(self, now_s: float, window_s: int) -> Recent:
        """All that happened in the last `window_s` seconds."""
        oldest = int(now_s) - window_s
        chosen = [second for second in self._seconds if second.time_s > oldest]
        amounts = [each for second in chosen for each in second.amounts]
        return Recent(
            opened=_joined(each for second in chosen for each in second.opened),
            closed=_joined(each for second in chosen for each in second.closed),
            failed=_joined(each for second in chosen for each in second.failed),
            moved=_joined(each for second in chosen for each in second.moved),
            amounts=np.concatenate(amounts) if amounts else np.zeros((0, len(COUNTERS))),
        )


def _joined(parts: Iterable[Integers]) -> Integers:
    found = list(parts)
    return np.concatenate(found) if found else np.zeros(0, np.intp)
