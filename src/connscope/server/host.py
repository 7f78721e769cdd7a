"""What is known of a host that reports."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from connscope.report.view import View
from connscope.server.keys import Integers, Keys
from connscope.server.own_processes import OwnProcesses

__all__ = ("ID", "Health", "Host")

ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
"""What ids of hosts and boots look like."""


@dataclass(frozen=True, slots=True)
class Health:
    """What the last report says about how well the host is watched.

    Attributes:
        tier: the way of capture.
        groups: of each group of columns, how sure it is.
        completeness: share of what the kernel counted that was seen; None: not compared.
        audit: a sentence about that.
        lost: rows that the agent knows it lost.
        limits: sentences about what can not be seen there.
    """

    tier: str = "unknown"
    groups: dict[str, str] = field(default_factory=dict)
    completeness: float | None = None
    audit: str = ""
    lost: int = 0
    limits: tuple[str, ...] = ()


@dataclass(slots=True)
class Host:
    """A host, and which slots of the window are what it has open.

    Attributes:
        number: in the window; ever the same for the same id.
        id: as it calls itself in reports.
        name: for people.
        boot_id: changes when the machine starts anew.
        time_ns: its CLOCK_BOOTTIME when it sent its last report.
        wall_minus_boottime_ns: of that report.
        seen_s: when that came, on our clock.
        seen_at_ns: the same on the wall.
        ids, slots: `connection_id` in order, and the slot of each.
        view: which reports fit, and the names of processes; its rows are in the window instead.
        own: its processes that are connscope's.
        silent: it was forgotten, because nothing came any more.
        behind_s: how late the last report was that was late; 0 once what is shown is of now.
    """

    number: int
    id: str
    name: str = ""
    boot_id: str = ""
    time_ns: int = 0
    wall_minus_boottime_ns: int = 0
    seen_s: float = 0.0
    seen_at_ns: int = 0
    health: Health = field(default_factory=Health)
    ids: Keys = field(default_factory=lambda: np.zeros(0, np.uint64))
    slots: Integers = field(default_factory=lambda: np.zeros(0, np.intp))
    view: View = field(default_factory=View)
    own: OwnProcesses = field(default_factory=OwnProcesses)
    silent: bool = False
    behind_s: float = 0.0

    def find(self, ids: Keys) -> Integers:
        """The slot of each connection, -1 of one that is not open."""
        if not len(self.ids):
            return np.full(len(ids), -1, np.intp)
        places = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        found: Integers = np.where(self.ids[places] == ids, self.slots[places], -1)
        return found

    def add(self, ids: Keys, slots: Integers) -> None:
        """These are open from now on; none of them was."""
        if not len(ids):
            return
        order = np.argsort(ids)
        places = np.searchsorted(self.ids, ids[order])
        self.ids = np.insert(self.ids, places, ids[order])
        self.slots = np.insert(self.slots, places, slots[order])

    def remove(self, slots: Integers, capacity: int) -> None:
        """These are not open any more."""
        if not len(slots):
            return
        gone = np.zeros(capacity, np.bool_)
        gone[slots] = True
        kept = ~gone[self.slots]
        self.ids, self.slots = self.ids[kept], self.slots[kept]
