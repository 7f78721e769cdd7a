"""For which slots of the window a filter holds, kept up with the window."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from connscope.filter import Filter
from connscope.row.columns import Rows
from connscope.server.hosts import Hosts
from connscope.server.keys import Integers, distinct
from connscope.server.pairing import Pairing
from connscope.server.slices import rows_at, sliced
from connscope.server.window import FREE, Window, resized

__all__ = ("Matching",)

Mask = npt.NDArray[np.bool_]
OF_TIME = re.compile(r"\bage\b")
AT_A_TIME = 1 << 16
"""So many rows: each call costs 25 µs, and each makes a few columns."""

SECOND_NS = 1_000_000_000
NO_SLOTS: Integers = np.zeros(0, np.intp)
NOT_ASKED: Mask = np.zeros(0, np.bool_)


class Matching:
    """A filter, and what came out when it was last asked.

    Args:
        wanted: the filter.
    """

    def __init__(self, wanted: Filter) -> None:
        self._filter = wanted
        # A name that has this word in it costs time and nothing else.
        self._of_time = bool(OF_TIME.search(str(wanted)))
        self._mask: Mask = np.zeros(0, np.bool_)
        self._position = 0
        self._own: Mask | None = None

    @property
    def asks_own(self) -> bool:
        """If it says itself what becomes of connscope's own connections."""
        return self._filter.asks_own

    def mask(self, window: Window, pairing: Pairing, hosts: Hosts, now_s: float) -> Mask:
        """For which slots it holds; shape (capacity,). For free ones it does not.

        Args:
            window, hosts: of which slots.
            pairing: refreshed: a connection is connscope's own if one of its ends is.
            now_s: of a clock that only goes forward.
        """
        position = window.content.position
        slots = window.content.since(self._position) if len(self._mask) else None
        self._position = position
        if window.capacity != len(self._mask):
            self._mask = resized(self._mask, window.capacity)
        changed = self._see_own(pairing) if self.asks_own else NO_SLOTS
        if self._of_time:
            self._ask_by_host(window, hosts, now_s)
        elif slots is None:
            self._ask_all(window)
        else:
            slots = distinct(slots, changed) if len(changed) else slots
            for part in sliced(slots):
                self._mask[part] = self._ask(rows_at(window.rows, part), part)
            self._mask[slots] &= window.status[slots] != FREE
        return self._mask

    def _see_own(self, pairing: Pairing) -> Integers:
        """Takes in which connections are connscope's own; the slots of which that is news."""
        own = pairing.own()
        before = resized(NOT_ASKED if self._own is None else self._own, len(own))
        self._own = own
        return np.flatnonzero(own != before)

    def _ask(self, rows: Rows, slots: Integers, now_ns: int = 0) -> Mask:
        own = None if self._own is None else self._own[slots]
        return self._filter.mask(rows, now_ns=now_ns, own=own)

    def _ask_all(self, window: Window) -> None:
        """In slices, which need no list of places."""
        for begin in range(0, window.capacity, AT_A_TIME):
            part = slice(begin, begin + AT_A_TIME)
            own = None if self._own is None else self._own[part]
            self._mask[part] = self._filter.mask(
                window.rows[part], now_ns=0, own=own, columns=window.columns(part)
            )
        self._mask &= window.status != FREE

    def _ask_by_host(self, window: Window, hosts: Hosts, now_s: float) -> None:
        """Each host has a clock of its own."""
        used = np.flatnonzero(window.status != FREE)
        order: Integers = used[np.argsort(window.host[used], kind="stable")]
        bounds = np.searchsorted(window.host[order], np.arange(len(hosts) + 1))
        self._mask[:] = False
        for host in hosts:
            slots = order[bounds[host.number] : bounds[host.number + 1]]
            now_ns = host.time_ns + int((now_s - host.seen_s) * SECOND_NS)
            self._mask[slots] = self._ask(window.rows[slots], slots, now_ns)
