"""A tier that says what a test tells it to."""

from __future__ import annotations

import numpy as np

from connscope.capture.tier import Losses, OpenedTier
from connscope.errors import KernelError
from connscope.row.columns import ROW, Rows
from connscope.row.words import Kind, Tier


class FakeTier(OpenedTier):
    """Gives `rows` in each look and `news` once as events.

    Args:
        tier: that it says it is.
        kinds: that its events tell.
        refusal: raised when it is opened.
    """

    limits: tuple[str, ...] = ()

    def __init__(
        self,
        tier: Tier = Tier.PROCFS,
        kinds: frozenset[Kind] = frozenset(),
        refusal: KernelError | None = None,
    ) -> None:
        self.tier, self.kinds, self.refusal = tier, kinds, refusal
        self.rows = self.news = np.empty(0, ROW)
        self.is_open = False

    def open(self) -> None:
        """Opens, or not."""
        if self.refusal:
            raise self.refusal
        self.is_open = True

    def wait(self, timeout_s: float | None) -> bool:
        """At once."""
        return bool(len(self.news))

    def events(self) -> Rows:
        """The news."""
        news, self.news = self.news, np.empty(0, ROW)
        return news

    def look(self) -> Rows:
        """The rows."""
        return self.rows.copy()

    def minisockets(self) -> Rows:
        """None."""
        return np.empty(0, ROW)

    def losses(self) -> Losses:
        """None."""
        return Losses()

    def close(self) -> None:
        """Closes."""
        self.is_open = False
