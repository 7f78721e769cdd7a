"""The kinds of traffic: each a function with whole numbers as options, found by its name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tests.traffic.report import End, Report

__all__ = ("KINDS", "Kind", "Maker", "kind")

Maker = Callable[..., Iterable[End]]


@dataclass(frozen=True)
class Kind:
    """One kind of traffic."""

    name: str
    meaning: str
    maker: Maker

    @property
    def options(self) -> dict[str, int]:
        """The names of its options and what they are if nobody says otherwise."""
        parameters = inspect.signature(self.maker).parameters.values()
        return {each.name: each.default for each in parameters}

    def run(self, **options: int) -> Report:
        """Makes the traffic here and now, in this process."""
        return Report(self.name, tuple(self.maker(**options)))


KINDS: dict[str, Kind] = {}
"""Every kind by its name."""


def kind(maker: Maker) -> Maker:
    """Makes a kind of a function; its name and the first line of its docstring are the kind's."""
    meaning = (maker.__doc__ or "").strip().partition("\n")[0]
    name = maker.__name__
    KINDS[name] = Kind(name, meaning, maker)
    return maker
