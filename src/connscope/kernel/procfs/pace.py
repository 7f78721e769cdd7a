"""How fast /proc may be read: so many fds a tick, and never more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

__all__ = ("Pace",)


class Pace:
    """Hands out fds: at most `fds_per_tick` of them from the start of a tick to that of the next.

    A tick that nobody asked in is not made up for. Used by one thread; `stop` comes from any.

    Args:
        fds_per_tick: how many.
        tick_s: how long a tick is; may be changed at any time.
        clock: seconds that only grow.
        sleep: waits so many seconds; by default less, if it is told to stop meanwhile.

    Attributes:
        fds: how many were handed out so far.
        ticks: how many ticks there were so far.
    """

    def __init__(
        self,
        fds_per_tick: int,
        tick_s: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self.tick_s = tick_s
        self.fds = self.ticks = 0
        self._fds_per_tick = self._left = fds_per_tick
        self._clock = clock
        self._stopped = threading.Event()
        self._sleep = sleep or self._stopped.wait
        self._began_s = clock()

    def take(self, wanted: int) -> int:
        """How many fds may be read now: at least one, after a wait if need be; 0 once stopped."""
        if not self._left:
            self._next_tick()
        if self._stopped.is_set():
            return 0
        taken = min(wanted, self._left)
        self._left -= taken
        self.fds += taken
        return taken

    def _next_tick(self) -> None:
        due_s = self._began_s + self.tick_s
        while (early_s := due_s - self._clock()) > 0 and not self._stopped.is_set():
            self._sleep(early_s)
        self._began_s = self._clock()
        self._left = self._fds_per_tick
        self.ticks += 1

    def stop(self) -> None:
        """Nothing is handed out from now on."""
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop."""
        return self._stopped.is_set()
