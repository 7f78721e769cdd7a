"""A tier that was put to silence does not say so: its looks show what its events never told."""

from __future__ import annotations

from connscope.capture.tier import CaptureTier
from connscope.errors import FailedError
from connscope.row.columns import Rows
from connscope.row.words import Kind, word

__all__ = ("Suspicion",)

LOOKS = 3


class Suspicion:
    """Grows with each look that finds new connections while events told of none at all."""

    def __init__(self) -> None:
        self._heard = False
        self._looks = self._untold = 0

    def hear(self, told: Rows) -> None:
        """Events came from the tier, with these rows."""
        self._heard = self._heard or bool((told["kind"] == Kind.OPENED).any())

    def judge(self, tier: CaptureTier, found: Rows) -> None:
        """A look found these on its own.

        Raises:
            FailedError: for the third time in a row nothing had been told of them.
        """
        untold = int((found["kind"] == Kind.OPENED).sum())
        if self._heard or Kind.OPENED not in tier.kinds:
            self._looks = self._untold = 0
        elif untold:
            self._looks += 1
            self._untold += untold
        self._heard = False
        if self._looks >= LOOKS:
            reason = f"looks found {self._untold} connections, and its events told of none"
            raise FailedError(word(tier.tier), reason)
