"""Many slots, some at a time: a copy of all rows would double our memory."""

from __future__ import annotations

from collections.abc import Iterator

from connscope.server.keys import Integers

__all__ = ("sliced",)

SOME = 1 << 16


def sliced(slots: Integers) -> Iterator[Integers]:
    """The slots in parts; one part at least, which may be empty."""
    for start in range(0, max(len(slots), 1), SOME):
        yield slots[start : start + SOME]
