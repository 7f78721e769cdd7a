"""What listens, and how many clients each listener has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.row.columns import Rows
from connscope.server.addresses import is_private, means_itself
from connscope.server.keys import Integers, KeyIndex, Keys, halves, mixed
from connscope.server.pairing import Pairing
from connscope.server.slices import sliced
from connscope.server.window import FREE, OPEN, Window, resized

__all__ = ("REACHES", "Listeners", "Listening")

REACHES = ("all", "private", "loopback")
SPARE = 1 << 16
NONE = -1
WILDCARD = np.zeros((1, 16), np.uint8)
WILDCARD_V4 = np.frombuffer(bytes(10) + b"\xff\xff" + bytes(4), np.uint8)[None]


@dataclass(frozen=True, slots=True)
class Listening:
    """Listeners; shape (n,) each.

    Attributes:
        slots: in the window.
        clients: open connections that were accepted from it, as far as its address tells.
        reach: places in REACHES: from where it can be connected to, by its address.
    """

    slots: Integers
    clients: Integers
    reach: Integers


class Listeners:
    """The listeners of the window, and counts of their clients, kept up with it."""

    def __init__(self, window: Window, pairing: Pairing) -> None:
        self._window = window
        self._pairing = pairing
        self._forget_all()

    def _forget_all(self) -> None:
        self._ports, self._addresses = KeyIndex(), KeyIndex()
        self._port_of = np.zeros(0, np.int32)
        self._address_of = np.zeros(0, np.int32)
        self._position = 0

    def now(self) -> Listening:
        """All listeners that are open."""
        self._pairing.refresh()
        self._refresh()
        window = self._window
        is_open = window.status == OPEN
        slots = np.flatnonzero(window.listens & is_open)
        serving = np.flatnonzero(~window.listens & is_open & ~self._pairing.outward)
        by_port = np.bincount(self._port_of[serving], minlength=len(self._ports))
        by_address = np.bincount(self._address_of[serving], minlength=len(self._addresses))
        rows = window.rows[slots]
        everywhere = _is_wildcard(rows["local_address"])
        own = by_address[self._address_of[slots]]
        # A connection to an address that has a listener of its own is not one of the wildcard's.
        single = np.unique(self._address_of[slots[~everywhere]], return_index=True)[1]
        first = np.flatnonzero(~everywhere)[single]
        taken = np.bincount(self._port_of[slots[first]], own[first], len(self._ports))
        rest = by_port[self._port_of[slots]] - taken[self._port_of[slots]].astype(np.intp)
        return Listening(slots, np.where(everywhere, rest, own), _reach(rows["local_address"]))

    def _refresh(self) -> None:
        if len(self._addresses) > 2 * self._window.used + SPARE:
            self._forget_all()
        position = self._pairing.log.position
        slots = self._pairing.log.since(self._position) if len(self._port_of) else None
        capacity = self._window.capacity
        if slots is None:
            slots = np.arange(capacity, dtype=np.intp)
        self._position = position
        if capacity != len(self._port_of):
            self._port_of = resized(self._port_of, capacity, NONE)
            self._address_of = resized(self._address_of, capacity, NONE)
        for part in sliced(slots):
            self._take(part)

    def _take(self, slots: Integers) -> None:
        window = self._window
        used = window.status[slots] != FREE
        self._port_of[slots[~used]] = self._address_of[slots[~used]] = NONE
        # Clients have a port that nobody listens on; there are many of them.
        slots = slots[used & ~(self._pairing.outward[slots] & ~window.listens[slots])]
        rows = window.rows[slots]
        ports = _port_keys(rows, window.host[slots])
        self._port_of[slots] = self._ports.give(ports)[0]
        self._address_of[slots] = self._addresses.give(
            mixed(ports, *halves(rows["local_address"]))
        )[0]


def _port_keys(rows: Rows, hosts: npt.NDArray[Any]) -> Keys:
    return mixed(hosts, rows["netns"], rows["protocol"], rows["local_port"])


def _is_wildcard(addresses: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    wildcard: npt.NDArray[np.bool_] = (addresses == WILDCARD).all(axis=1) | (
        addresses == WILDCARD_V4
    ).all(axis=1)
    return wildcard


def _reach(addresses: npt.NDArray[Any]) -> Integers:
    everywhere = _is_wildcard(addresses)
    reach: Integers = np.where(is_private(addresses), 1, 0)
    reach[means_itself(addresses) & ~everywhere] = 2
    return reach
