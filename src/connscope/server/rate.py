"""How often somebody may do something."""

from __future__ import annotations

__all__ = ("Rates",)

KEPT = 4096


class Rates:
    """A bucket for each name, that fills with time.

    Args:
        per_s: how much comes back in a second.
        burst: how much may be taken at once.
    """

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = max(burst, 1.0)
        self._buckets = dict[str, tuple[float, float]]()

    def exceeded(self, name: str, now_s: float) -> bool:
        """If nothing is left."""
        return self._left(name, now_s) < 1.0

    def take(self, name: str, now_s: float, cost: float = 1.0) -> bool:
        """Takes one, if there is one left; what costs more is owed until it has come back."""
        left = self._left(name, now_s)
        self._buckets.pop(name, None)
        self._buckets[name] = (left - cost if left >= 1.0 else left, now_s)
        if len(self._buckets) > KEPT:
            del self._buckets[next(iter(self._buckets))]
        return left >= 1.0

    def _left(self, name: str, now_s: float) -> float:
        left, at_s = self._buckets.get(name, (self._burst, now_s))
        return min(self._burst, left + (now_s - at_s) * self._per_s)
