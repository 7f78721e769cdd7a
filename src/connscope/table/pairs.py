"""Both ends of a local connection: which rows are of the same connection on this machine."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from connscope.row.columns import Rows
from connscope.row.words import Group, Kind, State
from connscope.table.keys import Numbers, Words, address_words, is_loopback, numbered

__all__ = ("NO_OTHER_END", "find_other_ends")

NO_OTHER_END = -1
WITHOUT_OTHER_END = (Kind.FAILED, Kind.LISTENING, Kind.UNLISTENED, Kind.LOST)

Mask = npt.NDArray[np.bool_]
Address = tuple[Words, Words]
BY_PORT, BY_PROTOCOL, BY_ISN = np.uint64(16), np.uint64(32), np.uint64(32)


class _Ends(NamedTuple):
    """What tells which rows belong together, a column each."""

    local: Address
    peer: Address
    local_port: Words
    peer_port: Words
    protocol: Words
    netns: Words
    isn_local: Words
    isn_peer: Words
    stays_inside: Mask
    is_joinable: Mask
    is_exact: Mask


def find_other_ends(rows: Rows) -> Numbers:
    """Finds for each row the row of the other end of its connection.

    Two rows are the ends of one connection if their addresses and ports mirror each other. Loopback
    addresses, and equal ones, mean so within one network namespace only. If both rows know the
    initial sequence numbers these must mirror each other too. Each row must be the only one that
    the other one can belong to; else nothing is said. Initial sequence numbers alone join ends
    between which an address is translated, if they are exact and one address or port is common.

    A socket that has connected to itself is its own other end. A failed connect has none.

    Args:
        rows: of one machine, one for each connection; other kinds of rows may be among them.

    Returns:
        Index of the other end's row, or `NO_OTHER_END`; shape (n,).
    """
    others = np.full(len(rows), NO_OTHER_END, np.int64)
    ends, where = _ends(rows)
    if len(where):
        found = _find(ends)
        paired = found >= 0
        others[where[paired]] = where[found[paired]]
    return others


def _ends(rows: Rows) -> tuple[_Ends, npt.NDArray[np.intp]]:
    """The rows that can have another end, and where they are."""
    local, peer = address_words(rows, "local_address"), address_words(rows, "peer_address")
    netns = rows["netns"].astype(np.uint64)
    equal = (local[0] == peer[0]) & (local[1] == peer[1])
    stays_inside = equal | is_loopback(local) | is_loopback(peer)
    possible = (rows["local_port"] > 0) & (rows["peer_port"] > 0)
    possible &= rows["known"] & np.uint16(Group.ENDS) != 0
    possible &= (rows["state"] != State.LISTEN) & ~(stays_inside & (netns == 0))
    for kind in WITHOUT_OTHER_END:
        possible &= rows["kind"] != kind
    where = np.flatnonzero(possible)

    def words(name: str) -> Words:
        column: Words = rows[name][where].astype(np.uint64)
        return column

    has_isn = rows["known"][where] & np.uint16(Group.JOIN) != 0
    ends = _Ends(
        local=(local[0][where], local[1][where]),
        peer=(peer[0][where], peer[1][where]),
        local_port=words("local_port"),
        peer_port=words("peer_port"),
        protocol=words("protocol"),
        netns=netns[where],
        isn_local=words("isn_local"),
        isn_peer=words("isn_peer"),
        stays_inside=stays_inside[where],
        is_joinable=has_isn,
        is_exact=has_isn & (rows["exact"][where] & np.uint16(Group.JOIN) != 0),
    )
    return ends, where


def _find(ends: _Ends) -> Numbers:
    tuples, is_self = _tuple_cells(ends)
    found = np.where(is_self, np.arange(len(is_self)), NO_OTHER_END)
    by_isn, contested = _by_tuple_and_isn(ends, tuples, ends.is_joinable & ~is_self)
    found = np.where(is_self, found, by_isn)
    by_tuple = _by_tuple(ends, tuples, found < 0)
    found = np.where((found < 0) & ~contested, _mutual(by_tuple, ~contested), found)
    by_isn_alone = _by_isn_alone(ends, (found < 0) & ends.is_exact)
    return np.where(found < 0, by_isn_alone, found)


def _tuple_cells(ends: _Ends) -> tuple[Numbers, Mask]:
    """A cell for each tuple and direction: the mirrored tuple's cell is the number xor 1. And which
    rows are their own mirror image."""
    before, after = np.zeros(len(ends.netns), np.bool_), np.zeros(len(ends.netns), np.bool_)
    for local, peer in zip(
        (*ends.local, ends.local_port), (*ends.peer, ends.peer_port), strict=True
    ):
        undecided = ~before & ~after
        before |= undecided & (local < peer)
        after |= undecided & (local > peer)
    key = [
        np.where(before, first, second)
        for local, peer in zip(ends.local, ends.peer, strict=True)
        for first, second in ((local, peer), (peer, local))
    ]
    low = np.where(before, ends.local_port, ends.peer_port)
    high = np.where(before, ends.peer_port, ends.local_port)
    key.append(ends.protocol << BY_PROTOCOL | low << BY_PORT | high)
    key.append(np.where(ends.stays_inside, ends.netns, np.uint64(0)))
    return numbered(key) * 2 + before, ~before & ~after


def _by_tuple_and_isn(ends: _Ends, tuples: Numbers, chosen: Mask) -> tuple[Numbers, Mask]:
    """The partners among the chosen, and which of those found several to choose from."""
    where = np.flatnonzero(chosen)
    found = np.full(len(tuples), NO_OTHER_END, np.int64)
    contested = np.zeros(len(tuples), np.bool_)
    if not len(where):
        return found, contested
    side = tuples[where] & 1
    low = np.where(side == 1, ends.isn_local[where], ends.isn_peer[where])
    high = np.where(side == 1, ends.isn_peer[where], ends.isn_local[where])
    groups = (tuples[where] >> 1).astype(np.uint64)
    cells = numbered((groups, low << BY_ISN | high)) * 2 + side
    only, counts = _only_ones(cells, np.arange(len(cells)))
    partners = _mutual(only[cells ^ 1])
    paired = partners >= 0
    found[where[paired]] = where[partners[paired]]
    contested[where] = ~paired & (counts[cells ^ 1] > 0)
    return found, contested


def _by_tuple(ends: _Ends, tuples: Numbers, chosen: Mask) -> Numbers:
    """The only one that each of the chosen can belong to. Two that both know their sequence numbers
    would have been joined by them."""
    size = int(tuples.max()) + 2
    only, _ = _only_ones(tuples, np.flatnonzero(chosen), size)
    without = np.flatnonzero(chosen & ~ends.is_joinable)
    only_without, _ = _only_ones(tuples, without, size)
    mirrored = tuples ^ 1
    candidates = np.where(ends.is_joinable, only_without[mirrored], only[mirrored])
    return np.where(chosen, candidates, NO_OTHER_END)


def _by_isn_alone(ends: _Ends, chosen: Mask) -> Numbers:
    """Translated addresses leave the sequence numbers as they are. Two random numbers of 32 bits
    that are mirrored by accident are not expected; a zero is not random."""
    found = np.full(len(chosen), NO_OTHER_END, np.int64)
    isn_local, isn_peer = ends.isn_local, ends.isn_peer
    where = np.flatnonzero(chosen & (isn_local > 0) & (isn_peer > 0) & (isn_local != isn_peer))
    if not len(where):
        return found
    isn_local, isn_peer = isn_local[where], isn_peer[where]
    both = np.minimum(isn_local, isn_peer) << BY_ISN | np.maximum(isn_local, isn_peer)
    cells = numbered((both, ends.protocol[where])) * 2 + (isn_local < isn_peer)
    only, _ = _only_ones(cells, np.arange(len(cells)))
    partners = _mutual(only[cells ^ 1])
    paired = partners >= 0
    one, other = where[paired], where[partners[paired]]
    fits = _have_an_end_in_common(ends, one, other)
    inside = ends.stays_inside
    fits &= ~(inside[one] & inside[other]) | (ends.netns[one] == ends.netns[other])
    found[one[fits]] = other[fits]
    return found


def _have_an_end_in_common(
    ends: _Ends, one: npt.NDArray[np.intp], other: npt.NDArray[np.intp]
) -> Mask:
    """An address or a port is the same, seen from both sides."""
    common: Mask = ends.local_port[one] == ends.peer_port[other]
    common |= ends.peer_port[one] == ends.local_port[other]
    for mine, theirs in ((ends.local, ends.peer), (ends.peer, ends.local)):
        common |= (mine[0][one] == theirs[0][other]) & (mine[1][one] == theirs[1][other])
    return common


def _only_ones(
    cells: Numbers, where: npt.NDArray[np.intp], size: int | None = None
) -> tuple[Numbers, Numbers]:
    """By cell: the only one of `where` that is in it, else -1; and how many are."""
    size = int(cells.max()) + 2 if size is None else size
    counts = np.bincount(cells[where], minlength=size)
    only = np.full(size, NO_OTHER_END, np.int64)
    only[cells[where]] = where
    only[counts != 1] = NO_OTHER_END
    return only, counts


def _mutual(candidates: Numbers, may: Mask | None = None) -> Numbers:
    """Those that are each other's candidate; no others."""
    if may is not None:
        candidates = np.where(may, candidates, NO_OTHER_END)
    found = candidates >= 0
    back = candidates[np.where(found, candidates, 0)]
    return np.where(found & (back == np.arange(len(candidates))), candidates, NO_OTHER_END)
