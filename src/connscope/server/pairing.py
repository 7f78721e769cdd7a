"""The window's connections: which of its slots are two ends of one, and which end speaks for both.

Kept up with the window: only what has changed, and what has the same addresses and ports, is
looked at again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.row.columns import Rows
from connscope.row.words import Group, Role
from connscope.server.change_log import ChangeLog
from connscope.server.joins import join_ends, matched, read_ends
from connscope.server.keys import Integers, KeyIndex, distinct, halves, mixed
from connscope.server.slices import rows_at, sliced
from connscope.server.translated import isn_keys, matched_by_isn
from connscope.server.window import FREE, Window, resized

__all__ = ("Pairing",)

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int32]
ALONE = -1
NO_TUPLE = NO_ISN = -1
MANY = -2
NOBODY = -1
SPARE = 1 << 16


class Pairing:
    """Which slots are the same connection.

    Attributes:
        partner: the slot of the other end, or -1.
        speaks: the slot stands for its connection: it has no partner, or is the better one.
        outward: the local end is the client, as far as is known.
        role_known: that it is (or is not) is known, not inferred from the ports.
        log: slots of which any of this changed, or that the window says have changed.
    """

    def __init__(self, window: Window) -> None:
        self._window = window
        self.log = ChangeLog()
        self._forget_all()

    def _forget_all(self) -> None:
        self.partner = np.zeros(0, np.int32)
        self.speaks = np.zeros(0, np.bool_)
        self.outward = np.zeros(0, np.bool_)
        self.role_known = np.zeros(0, np.bool_)
        self._tuple_of = np.zeros(0, np.int32)
        self._addresses_of = np.zeros((0, 2), np.int32)
        self._isn_of = np.zeros(0, np.int32)
        self._tuples = KeyIndex()
        self._isns = KeyIndex()
        self._addresses = KeyIndex()
        self._holder = np.zeros(0, np.int32)
        self._position = 0

    def refresh(self) -> None:
        """Takes in what changed in the window since the last time."""
        if max(len(self._tuples), len(self._isns)) > 2 * self._window.used + SPARE:
            self._forget_all()
        position = self._window.structure.position
        slots = self._window.structure.since(self._position) if len(self.partner) else None
        if slots is None:
            slots = np.arange(self._window.capacity, dtype=np.intp)
        self._position = position
        self._resize(self._window.capacity)
        if len(slots):
            self._take(slots)

    def _take(self, slots: Integers) -> None:
        window = self._window
        used = (window.status[slots] != FREE) & ~window.listens[slots]
        gone, news = slots[~used], slots[used]
        tuples, isns = self._tuple_of[slots], self._isn_of[slots]
        left = self.partner[gone]
        self._tuple_of[gone], self._isn_of[gone] = NO_TUPLE, NO_ISN
        self.partner[gone] = ALONE
        for part in sliced(news):
            tuples = np.append(tuples, self._take_addresses(part))
        members = _those_of(self._tuple_of, tuples, len(self._tuples))
        partner = self._match(members)
        isns = np.concatenate((isns, self._isn_of[slots], self._isn_of[members]))
        members, partner = self._match_translated(members, partner, isns)
        other = self.partner[members] != partner
        self.partner[members] = partner
        moved = distinct(slots, members[other], left[left >= 0])
        also = self.partner[moved]
        moved = distinct(moved, also[also >= 0].astype(np.intp))
        for part in sliced(moved):
            self._decide(part)
        self.log.add(moved)

    def _take_addresses(self, slots: Integers) -> Integers:
        """Remembers the ends of new slots.

        Returns:
            The tuples of which any end may have another partner now.
        """
        rows, hosts = rows_at(self._window.rows, slots), self._window.host[slots]
        exposed = self._note_addresses(slots, rows, hosts)
        ends = read_ends(rows, hosts, np.zeros(len(slots), np.bool_))
        self._tuple_of[slots] = tuples = self._tuples.give(ends.tuple_key)[0]
        keys, may = isn_keys(rows)
        self._isn_of[slots] = NO_ISN
        self._isn_of[slots[may]] = self._isns.give(keys[may])[0]
        return np.append(tuples, self._tuples_with(exposed))

    def _match(self, members: Integers) -> Numbers:
        """The partner of each, as it should be."""
        window = self._window
        first, second = matched(
            join_ends(
                read_ends(rows_at(window.rows, part), window.host[part], self._is_shared(part))
                for part in sliced(members)
            )
        )
        sure = np.concatenate(
            [
                _mirrored(window.rows[members[ours]], window.rows[members[theirs]])
                for ours, theirs in zip(sliced(first), sliced(second), strict=True)
            ]
        )
        first, second = first[sure], second[sure]
        partner = np.full(len(members), ALONE, np.int32)
        partner[first], partner[second] = members[second], members[first]
        return partner

    def _match_translated(
        self, members: Integers, partner: Numbers, isns: Numbers
    ) -> tuple[Integers, Numbers]:
        """Joins those that addresses do not join, by their sequence numbers alone.

        Args:
            members: that were matched by addresses, in order.
            partner: of each of them.
            isns: numbers of which any end may have another partner now.

        Returns:
            The same with all those that have these numbers.
        """
        window = self._window
        slots = distinct(members, _those_of(self._isn_of, isns, len(self._isns)))
        now = self.partner[slots]
        now[self._tuple_of[slots] != self._tuple_of[now]] = ALONE
        now[np.searchsorted(slots, members)] = partner
        free = np.flatnonzero((now == ALONE) & (self._isn_of[slots] != NO_ISN))
        chosen = slots[free]
        rows = rows_at(window.rows, chosen)
        places = mixed(window.host[chosen], rows["netns"])
        first, second = matched_by_isn(rows, self._isn_of[chosen].astype(np.intp), places)
        now[free[first]], now[free[second]] = chosen[second], chosen[first]
        return slots, now

    def _note_addresses(self, slots: Integers, rows: Rows, hosts: npt.NDArray[Any]) -> Integers:
        """Remembers which host uses which address.

        Returns:
            Numbers of addresses of which we learn that several hosts use them.
        """
        for end, name in enumerate(("local_address", "peer_address")):
            numbers, fresh = self._addresses.give(mixed(*halves(rows[name])))
            self._addresses_of[slots, end] = numbers
            self._holder = np.append(self._holder, np.full(len(fresh), NOBODY, np.int32))
        numbers = self._addresses_of[slots, 0]
        before = self._holder[numbers]
        self._holder[numbers[before == NOBODY]] = hosts[before == NOBODY]
        differ = (self._holder[numbers] != hosts) & (self._holder[numbers] != MANY)
        exposed = np.unique(numbers[differ]).astype(np.intp)
        self._holder[exposed] = MANY
        return exposed

    def _tuples_with(self, addresses: Integers) -> Integers:
        if not len(addresses):
            return addresses
        wanted = np.zeros(len(self._addresses), np.bool_)
        wanted[addresses] = True
        slots = self._tuple_of != NO_TUPLE
        slots &= wanted[self._addresses_of].any(axis=1)
        found: Integers = self._tuple_of[slots].astype(np.intp)
        return found

    def is_used(self, addresses: npt.NDArray[Any]) -> Mask:
        """Which addresses are a local end's of one of our hosts; shape (n, 16)."""
        numbers = self._addresses.find(mixed(*halves(addresses)))
        holder = np.append(self._holder, NOBODY)
        used: Mask = holder[numbers] != NOBODY
        return used

    def own(self) -> Mask:
        """Which slots are ends of connections of which either end is connscope's own."""
        mask: Mask = self._window.own.copy()
        partner = self.partner[np.flatnonzero(mask)]
        mask[partner[partner >= 0]] = True
        return mask

    def _is_shared(self, slots: Integers) -> Mask:
        shared: Mask = (self._holder[self._addresses_of[slots]] == MANY).any(axis=1)
        return shared

    def _decide(self, slots: Integers) -> None:
        """Who is the client, and which end speaks for both."""
        rows = rows_at(self._window.rows, slots)
        partner = self.partner[slots]
        paired = partner >= 0
        others = self._window.rows[np.where(paired, partner, 0)]
        role = rows["role"]
        other_role = np.where(paired, others["role"], Role.UNKNOWN)
        client = (role == Role.CLIENT) | ((role == Role.UNKNOWN) & (other_role == Role.SERVER))
        server = (role == Role.SERVER) | ((role == Role.UNKNOWN) & (other_role == Role.CLIENT))
        # Both say the same only if they opened to each other at once; then as if none had said.
        known = (client ^ server) & ~(paired & (role == other_role) & (role != Role.UNKNOWN))
        self.role_known[slots] = known
        self.outward[slots] = np.where(known, client, _looks_like_client(rows))
        lower = slots < partner
        better = _traffic(rows).astype(np.int8) - np.where(paired, _traffic(others), 0)
        ours = np.where(better != 0, better > 0, np.where(known, client, lower))
        self.speaks[slots] = ~paired | ours

    def _resize(self, capacity: int) -> None:
        if capacity == len(self.partner):
            return
        self.partner = resized(self.partner, capacity, ALONE)
        self.speaks = resized(self.speaks, capacity)
        self.outward = resized(self.outward, capacity)
        self.role_known = resized(self.role_known, capacity)
        self._tuple_of = resized(self._tuple_of, capacity, NO_TUPLE)
        self._isn_of = resized(self._isn_of, capacity, NO_ISN)
        larger = np.zeros((capacity, 2), np.int32)
        larger[: len(self._addresses_of)] = self._addresses_of
        self._addresses_of = larger


def _those_of(number_of: Numbers, numbers: npt.NDArray[Any], count: int) -> Integers:
    """Slots that have one of these numbers, of which there are `count`; -1 is none."""
    wanted = np.zeros(count + 1, np.bool_)
    wanted[numbers] = True
    wanted[-1] = False
    return np.flatnonzero(wanted[number_of])


def _mirrored(first: Rows, second: Rows) -> Mask:
    """Byte for byte: keys may agree by chance."""
    sure: Mask = (
        (first["local_address"] == second["peer_address"]).all(axis=1)
        & (first["peer_address"] == second["local_address"]).all(axis=1)
        & (first["local_port"] == second["peer_port"])
        & (first["peer_port"] == second["local_port"])
        & (first["protocol"] == second["protocol"])
    )
    return sure


def _looks_like_client(rows: Rows) -> Mask:
    """Servers mostly have the lower port; of equal ones, the lower address, on both ends."""
    local = np.ascontiguousarray(rows["local_address"]).view("S16")[:, 0]
    peer = np.ascontiguousarray(rows["peer_address"]).view("S16")[:, 0]
    same = rows["local_port"] == rows["peer_port"]
    looks: Mask = np.where(same, local > peer, rows["local_port"] > rows["peer_port"])
    return looks


def _traffic(rows: Rows) -> npt.NDArray[np.int8]:
    """How well the bytes are known: 2 exactly, 1 estimated, 0 not."""
    bit = Group.TRAFFIC.value
    known = rows["known"] & bit != 0
    exact = known & (rows["exact"] & bit != 0)
    traffic: npt.NDArray[np.int8] = known.astype(np.int8) + exact.astype(np.int8)
    return traffic
