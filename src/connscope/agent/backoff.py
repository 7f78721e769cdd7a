"""How long to wait before the next try."""

from __future__ import annotations

import random
from collections.abc import Callable

__all__ = ("Backoff",)

FIRST_S, LONGEST_S = 1.0, 60.0


class Backoff:
    """Twice as long after each failure, from 1 to 60 s, each time between a half and the whole of
    that: a fleet whose server comes back does not come back all at once.

    Args:
        draw: gives a number from 0 to 1.
    """

    def __init__(self, draw: Callable[[], float] = random.random) -> None:
        self._draw = draw
        self._next_s = FIRST_S

    def failed(self) -> float:
        """Seconds to wait after one more failure."""
        wait_s = self._next_s * (0.5 + self._draw() / 2)
        self._next_s = min(self._next_s * 2, LONGEST_S)
        return wait_s

    def succeeded(self) -> None:
        """The next failure is a first one."""
        self._next_s = FIRST_S
