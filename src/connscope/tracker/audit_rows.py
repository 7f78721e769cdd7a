"""Which rows equal which of the kernel's own counters, counted for each network namespace.

docs/audit.md says why, and what was measured.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from connscope.row.columns import COLUMNS, ROW, Rows
from connscope.row.words import Failure, Group, Kind, Role, State

__all__ = ("NOBODY", "Counts", "Seen", "SocketIds", "Tally", "count_rows", "is_settled")


# Plain numbers: NumPy takes four times as long to compare with a member of an enumeration.
OPENED, FAILED, CLOSED = int(Kind.OPENED), int(Kind.FAILED), int(Kind.CLOSED)
CLIENT, SERVER = int(Role.CLIENT), int(Role.SERVER)
NO_PORT, DENIED = int(Failure.NO_PORT), int(Failure.DENIED)
ESTABLISHED, CLOSE_WAIT = int(State.ESTABLISHED), int(State.CLOSE_WAIT)
QUALITY, BEGIN_GROUPS = int(Group.QUALITY), int(Group.LIFE | Group.JOIN)

COLUMN_NAMES = tuple(column.name for column in COLUMNS)
OFFSETS = {name: place[1] for name, place in (ROW.fields or {}).items()}


def _neighbours(first: str, last: str) -> np.dtype[np.void]:
    """Columns that are next to each other in a row."""
    names = COLUMN_NAMES[COLUMN_NAMES.index(first) : COLUMN_NAMES.index(last) + 1]
    return np.dtype([(name, ROW[name]) for name in names])


WORDS, NUMBERS = _neighbours("error", "left_state"), _neighbours("netns", "retransmits")


class Seen(IntEnum):
    """What is counted of the rows; the columns of `count_rows`.

    Attributes:
        ACTIVE: connects that sent a SYN: ActiveOpens.
        PASSIVE: children of listeners: PassiveOpens.
        RESETS: that left ESTABLISHED or CLOSE_WAIT for CLOSE: EstabResets.
        FAILS: connects and handshakes that the kernel itself gave up: AttemptFails.
        RETRANSMITS: segments that ended connections had sent again: RetransSegs.
    """

    ACTIVE = 0
    PASSIVE = 1
    RESETS = 2
    FAILS = 3
    RETRANSMITS = 4


Mask = npt.NDArray[np.bool_]
Inodes = npt.NDArray[np.uint32]

Counts = npt.NDArray[np.int64]
"""A number for each of `Seen`, shape (5,), or one such line for each namespace."""

FLAGS = 1 << Seen.RETRANSMITS
"""One bit for each of the first four; the fifth is a sum."""

BITS = np.arange(FLAGS)[:, np.newaxis] >> np.arange(Seen.RETRANSMITS) & 1
"""From flags to what they count, shape (`FLAGS`, 4)."""

NEAR = 1 << 14

BEGINNINGS = 1 << Seen.ACTIVE | 1 << Seen.PASSIVE

SocketIds = npt.NDArray[np.uint64]
NOBODY: SocketIds = np.empty(0, np.uint64)


def count_rows(rows: Rows, start_ns: int, earlier: SocketIds = NOBODY) -> tuple[Inodes, Counts]:
    """Counts a batch of events.

    Args:
        rows: of the btf tier, in any order; rows that are no events count nothing.
        start_ns: when the window began: what older connections sent again is not counted.
        earlier: sockets whose handshake was under way then: the kernel had counted its begin.

    Returns:
        The inodes of the namespaces, shape (k,), ascending, and what each was seen to do, shape
        (k, 5), a column for each of `Seen`.
    """
    words, numbers = _part(rows, WORDS), _part(rows, NUMBERS)
    inodes, places = _namespaces(numbers["netns"].copy())
    flags = _flags(words, numbers["segments_sent"] > 0)
    if len(earlier):
        flags[is_settled(rows) & np.isin(rows["socket_id"], earlier)] &= FLAGS - 1 - BEGINNINGS
    keys = flags if places is None else places * FLAGS + flags
    table = np.bincount(keys, minlength=len(inodes) * FLAGS)
    counts = np.zeros((len(inodes), len(Seen)), np.int64)
    counts[:, : Seen.RETRANSMITS] = table.reshape(-1, FLAGS) @ BITS
    again = np.flatnonzero(numbers["retransmits"])
    if len(again):
        where = np.zeros(len(again), np.intp) if places is None else places[again]
        sent_again = _signs(rows, again, start_ns) * numbers["retransmits"][again]
        counts[:, Seen.RETRANSMITS] = np.bincount(where, sent_again, len(inodes))
    return inodes, counts


def _part(rows: Rows, part: np.dtype[np.void]) -> npt.NDArray[np.void]:
    """Some neighbouring columns of all rows, close together: each row is fetched once for all."""
    name = part.names[0] if part.names else ""
    spread = np.dtype(
        {
            "names": ["part"],
            "formats": [f"V{part.itemsize}"],
            "offsets": [OFFSETS[name]],
            "itemsize": ROW.itemsize,
        }
    )
    return rows.view(spread)["part"].copy().view(part)


def _some(words: npt.NDArray[np.void], places: npt.NDArray[np.intp]) -> npt.NDArray[np.void]:
    """Some lines; NumPy would copy structured ones field by field."""
    return words.view(f"V{words.itemsize}")[places].view(words.dtype)


def is_settled(rows: Rows) -> Mask:
    """On which rows a handshake has come to its end, either way."""
    mask: Mask = (rows["kind"] == OPENED) | (rows["kind"] == FAILED)
    return mask


def _namespaces(netns: Inodes) -> tuple[Inodes, npt.NDArray[np.intp] | None]:
    """The inodes, and where among them that of each row is; None: most batches have one only."""
    if not len(netns) or (netns == netns[0]).all():
        return netns[:1], None
    lowest = netns.min()
    above = netns - lowest
    if above.max() >= NEAR:
        return np.unique(netns, return_inverse=True)
    # The kernel gives the lowest free inode, so they are close together: no need to sort.
    is_there = np.zeros(int(above.max()) + 1, np.bool_)
    is_there[above] = True
    places = np.cumsum(is_there) - 1
    return np.flatnonzero(is_there).astype(np.uint32) + lowest, places[above]


def _flags(words: npt.NDArray[np.void], sent: Mask) -> npt.NDArray[np.uint8]:
    kind, is_server = words["kind"].copy(), words["role"] == SERVER
    failed, closed = kind == FAILED, kind == CLOSED
    settled = failed | (kind == OPENED)
    # A deferred fast open that was given up, or a repaired socket, never sent a SYN.
    flags = _bit(settled & (words["role"] == CLIENT) & sent, Seen.ACTIVE)
    flags |= _bit(settled & is_server, Seen.PASSIVE)
    # The child of a fast open may be closed before its handshake is done: nothing opened it.
    unborn = closed & is_server & (words["known"] & BEGIN_GROUPS == 0)
    flags |= _bit(unborn, Seen.PASSIVE)
    left = words["left_state"].copy()
    flags |= _bit(closed & ((left == ESTABLISHED) | (left == CLOSE_WAIT)), Seen.RESETS)
    failures = np.flatnonzero(failed)
    if len(failures):
        flags[failures] |= _bit(_is_given_up(_some(words, failures)), Seen.FAILS)
    return flags


def _bit(mask: Mask, place: Seen) -> npt.NDArray[np.uint8]:
    return mask.view(np.uint8) << np.uint8(place)


def _is_given_up(words: npt.NDArray[np.void]) -> Mask:
    """Of failures, what the kernel gave up: those have an error. What ICMP said before the
    application gave up is an inference in the row."""
    failure = words["failure"]
    refused = (failure == NO_PORT) | (failure == DENIED)
    mask: Mask = ~refused & (words["exact"] & QUALITY > 0) & (words["error"] > 0)
    return mask


def _signs(rows: Rows, places: npt.NDArray[np.intp], start_ns: int) -> npt.NDArray[np.int64]:
    """Of some rows: 1 where what was sent again counts, -1 where it is taken off, else 0.

    It counts when a connection ends that began within the window. What a server had sent again when
    the connection opened were SYN-ACKs of its request socket, perhaps long before: it is taken off.
    """
    kind, is_server = rows["kind"][places], rows["role"][places] == SERVER
    opened_ns, connect_us = rows["opened_ns"][places], rows["connect_us"][places]
    began_ns = opened_ns.astype(np.int64) - connect_us.astype(np.int64) * 1000
    adds = (kind == CLOSED) | ((kind == FAILED) & ~is_server)
    takes = (kind == OPENED) & is_server
    signs: npt.NDArray[np.int64] = (adds.astype(np.int64) - takes) * (began_ns >= start_ns)
    return signs


class Tally:
    """What all batches so far come to.

    Attributes:
        inodes: of the namespaces, ascending, shape (k,).
    """

    def __init__(self) -> None:
        self.inodes: Inodes = np.empty(0, np.uint32)
        self._counts: Counts = np.empty((0, len(Seen)), np.int64)

    def add(self, inodes: Inodes, counts: Counts) -> None:
        """Adds what `count_rows` gives."""
        places = np.searchsorted(self.inodes, inodes)
        known = places < len(self.inodes)
        known[known] = self.inodes[places[known]] == inodes[known]
        if not known.all():
            self.inodes = np.insert(self.inodes, places[~known], inodes[~known])
            self._counts = np.insert(self._counts, places[~known], 0, axis=0)
            places = np.searchsorted(self.inodes, inodes)
        self._counts[places] += counts

    def of(self, inode: int) -> Counts:
        """A copy of the counts of one namespace; zeros if nothing was told of it."""
        place = int(np.searchsorted(self.inodes, inode))
        if place == len(self.inodes) or self.inodes[place] != inode:
            return np.zeros(len(Seen), np.int64)
        counts: Counts = self._counts[place].copy()
        return counts

    def keep(self, inodes: Collection[int]) -> None:
        """Forgets all other namespaces."""
        kept = np.isin(self.inodes, list(inodes))
        self.inodes, self._counts = self.inodes[kept], self._counts[kept]
