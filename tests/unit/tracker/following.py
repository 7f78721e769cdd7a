"""A tracker that follows a world, and all that it told."""

from __future__ import annotations

from typing import Any, cast

from tests.unit.tracker.world import FakeTier, Machine, World

from connscope.config import load_config
from connscope.row.columns import Rows
from connscope.row.words import Kind
from connscope.tracker.tracker import Tracker

Told = list[tuple[Kind, int]]


def make_tracker(machine: Machine, **keys: Any) -> Tracker:
    """With the clocks of that world, and not open yet."""
    return Tracker(
        load_config(**({"debug_dir": "/nonexistent"} | keys)),
        open_tier=cast("Any", machine),
        monotonic=lambda: machine.world.now_s,
        boottime=lambda: machine.world.now_ns,
        read_ranges=dict,
    )


def told_of(rows: Rows) -> Told:
    """What is told, and the number of the connection in its world."""
    return [(Kind(int(row["kind"])), int(row["cgroup_id"])) for row in rows]


class Following:
    """A tracker, not open yet.

    Args:
        keys: of the configuration.

    Attributes:
        told: all so far.
    """

    def __init__(self, **keys: Any) -> None:
        self.world = World(now_ns=100_000_000_000)
        self.machine = Machine(self.world)
        self.tracker = make_tracker(self.machine, **keys)
        self.told: Told = []

    @property
    def tier(self) -> FakeTier:
        """The last one that was opened."""
        return self.machine.current

    def open(self) -> Following:
        """Opens it."""
        self.told += told_of(self.tracker.open())
        return self

    def pass_time(self, seconds: float) -> None:
        """Nothing else happens."""
        self.world.now_ns += int(seconds * 1e9)

    def advance(self, after_s: float = 0) -> Told:
        """Lets time pass, then the tracker go on; what it tells."""
        self.pass_time(after_s)
        told = told_of(self.tracker.advance())
        self.told += told
        return told

    def opens(self, port: int = 1, **more: Any) -> int:
        """A connection or listener; its number."""
        return self.world.begin(self.world.make(port, **more)).serial

    def in_table(self) -> list[int]:
        """The numbers of those that are open."""
        return sorted(self.tracker.table.rows()["cgroup_id"].tolist())


def following(**keys: Any) -> Following:
    """A tracker that is open, in a world without connections."""
    return Following(**keys).open()
