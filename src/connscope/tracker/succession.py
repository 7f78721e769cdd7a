"""Which tier captures: who follows one that died, and when a better one is tried again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from connscope.capture.tier import BATCH_ROWS, CaptureTier, Losses
from connscope.errors import KernelError
from connscope.row.columns import ROW, Rows
from connscope.row.words import Tier

__all__ = ("Succession", "TierChange", "TierOpener")

TierOpener = Callable[[Tier], tuple[CaptureTier, Rows]]
"""Opens a tier, or raises a KernelError; with it come the events that it has told meanwhile."""

QUIET_S = 60.0
"""Who dies twice within this time is not started a third time."""

FIRST_REST_S, LONGEST_REST_S = 60.0, 3600.0
FIRST_BLIND_REST_S, LONGEST_BLIND_REST_S = 1.0, 60.0
CHANGES_KEPT = 100
BATCHES_MAX = 64


class TierChange(NamedTuple):
    """One took the place of another.

    Attributes:
        time_ns: CLOCK_BOOTTIME.
        before: None at the start, and after a time without any.
        after: None: none can be had.
        reason: why the one before does not capture any more.
    """

    time_ns: int
    before: Tier | None
    after: Tier | None
    reason: str


class Succession:
    """Keeps one of several tiers open. It never gives up, but it does not insist either.

    A tier that dies is started again; if it dies twice within a minute, the next worse one follows
    at once. Every better one is tried again after 1, 2, 4 and so on up to 60 minutes; where there
    is none at all, after 1, 2, 4 … 60 seconds, until one of them has lived for a minute.

    Args:
        tiers: best first.
        open_tier: opens one.
        monotonic: seconds.
        boottime_ns: the clock of the rows.

    Attributes:
        current: the tier that captures; None: there is none.
        early: events that came while it was opened; whoever takes them empties it.
        last_words: events of the one before, of the time in which the one of now was opened; the
            same.
        changes: the last ones, oldest first.
        refusals: why each better tier does not capture.
    """

    def __init__(
        self,
        tiers: list[Tier],
        open_tier: TierOpener,
        monotonic: Callable[[], float],
        boottime_ns: Callable[[], int],
    ) -> None:
        self._tiers, self._open_tier = tiers, open_tier
        self._monotonic, self._boottime_ns = monotonic, boottime_ns
        self._died_s = dict[Tier, float]()
        self._past_losses = Losses()
        self._since_s = 0.0
        self._rest_s, self._blind_rest_s = FIRST_REST_S, FIRST_BLIND_REST_S
        self._next_try_s = 0.0
        self.current: CaptureTier | None = None
        self.early: Rows | None = None
        self.last_words: Rows = np.empty(0, ROW)
        self.changes: deque[TierChange] = deque(maxlen=CHANGES_KEPT)
        self.refusals = dict[Tier, KernelError]()

    def open(self) -> None:
        """Opens the best that works.

        Raises:
            KernelError: none works; why the best one does not.
        """
        self._rest(FIRST_REST_S)
        if not self._take_first_of(self._tiers, "start"):
            raise self.refusals[self._tiers[0]]

    def replace(self, error: KernelError) -> None:
        """The tier has died: it is closed, and another one is opened, perhaps of the same kind."""
        now_s = self._monotonic()
        dead = self._close_current()
        if dead is None:
            return
        died_again = now_s - self._died_s.get(dead, -QUIET_S) < QUIET_S
        self._died_s[dead] = now_s
        at = self._tiers.index(dead) + died_again
        if died_again:
            self.refusals[dead] = error
        lived_s = now_s - self._since_s
        if lived_s > LONGEST_REST_S:
            self._rest_s = FIRST_REST_S
        if lived_s > LONGEST_BLIND_REST_S:
            self._blind_rest_s = FIRST_BLIND_REST_S
        found = self._take_first_of(self._tiers[at:], str(error), dead)
        self._rest(self._rest_s if found else self._blind_rest_s)

    def climb(self) -> bool:
        """Tries the better tiers if it is time to; whether one of them captures now."""
        if self._monotonic() < self._next_try_s:
            return False
        if self.current is None:
            return self._end_blindness()
        better = self._tiers[: self._tiers.index(self.current.tier)]
        if not better:
            return False
        # Who dies soon after it was tried again is not tried as soon the next time.
        self._rest_s = min(self._rest_s * 2, LONGEST_REST_S)
        self._rest(self._rest_s)
        return self._take_first_of(better, "tried again", keeps_current=True)

    def _end_blindness(self) -> bool:
        self._blind_rest_s = min(self._blind_rest_s * 2, LONGEST_BLIND_REST_S)
        found = self._take_first_of(self._tiers, "tried again", keeps_current=True)
        self._rest(self._rest_s if found else self._blind_rest_s)
        return found

    def _rest(self, rest_s: float) -> None:
        self._next_try_s = self._monotonic() + rest_s

    def _take_first_of(
        self,
        tiers: list[Tier],
        reason: str,
        before: Tier | None = None,
        *,
        keeps_current: bool = False,
    ) -> bool:
        for tier in tiers:
            try:
                opened, early = self._open_tier(tier)
            except KernelError as error:
                self.refusals[tier] = error
                continue
            self.refusals.pop(tier, None)
            if self.current:
                self.last_words = _last_words(self.current)
            before = self._close_current() or before
            self.current, self.early = opened, early
            self._note(before, tier, reason)
            return True
        if not keeps_current:
            self._note(before, None, reason)
        return False

    def _note(self, before: Tier | None, after: Tier | None, reason: str) -> None:
        self.changes.append(TierChange(self._boottime_ns(), before, after, reason))
        self._since_s = self._monotonic()

    def _close_current(self) -> Tier | None:
        """Adds what it lost to what was lost before; which tier it was."""
        closed, self.current, self.early = self.current, None, None
        if closed is None:
            return None
        try:
            self._past_losses = self._past_losses + closed.losses()
        except KernelError:
            pass  # it is broken: the looks of who follows tell what is missing
        finally:
            closed.close()
        return closed.tier

    def losses(self) -> Losses:
        """Of all tiers so far."""
        return self._past_losses + self.current.losses() if self.current else self._past_losses

    def close(self) -> None:
        """Closes the tier that captures; a second call does nothing."""
        self._close_current()


def _last_words(tier: CaptureTier) -> Rows:
    """The events that wait in a tier that is about to be closed."""
    batches = [np.empty(0, ROW)]
    try:
        for _ in range(BATCHES_MAX):
            batches.append(tier.events())
            if len(batches[-1]) < BATCH_ROWS:
                break
    except KernelError:
        pass  # it has just died: what it had to tell is told by looks
    return np.concatenate(batches)
