"""Which connection of one tier is which of another: they do not give them the same ids."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from connscope.row.columns import Rows
from connscope.row.words import Group

__all__ = ("NOBODY", "match_rows")

NOBODY = -1
U32 = np.uint64(32)
ENDS = ("protocol", "netns", "local_port", "peer_port")
ADDRESSES = ("local_address", "peer_address")
PRIMES = np.array(
    [0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x27D4EB2F165667C5], np.uint64
)

Keys = npt.NDArray[np.uint64]
Numbers = npt.NDArray[np.int64]


def match_rows(rows: Rows, known: Rows) -> Numbers:
    """For each row which of the known ones is the same connection, else `NOBODY`; shape (n,).

    By socket cookie, else by namespace and inode, else by namespace and both ends, where nothing
    else has these. In each case the ends are the same too: a socket may be connected once more. And
    so are cookies, inodes and initial sequence numbers, where both rows know them.
    """
    found = np.full(len(rows), NOBODY, np.int64)
    for make_keys in (_cookies, _inodes, _ends):
        left = np.flatnonzero(found == NOBODY)
        free = np.ones(len(known), np.bool_)
        free[found[found != NOBODY]] = False
        candidates = np.flatnonzero(free)
        if not len(left) or not len(candidates):
            break
        at = _match_keys(make_keys(rows[left]), make_keys(known[candidates]))
        hit = at != NOBODY
        left, others = left[hit], candidates[at[hit]]
        same = _is_same(rows[left], known[others])
        found[left[same]] = others[same]
    return found


def _cookies(rows: Rows) -> Keys:
    return rows["socket_id"].astype(np.uint64)


def _inodes(rows: Rows) -> Keys:
    inodes = rows["socket_inode"].astype(np.uint64)
    return np.where(inodes, rows["netns"].astype(np.uint64) << U32 | inodes, np.uint64(0))


def _ends(rows: Rows) -> Keys:
    """A number of the ends; those who have the same are compared."""
    keys = rows["netns"].astype(np.uint64) << U32
    ports = rows["local_port"].astype(np.uint64) << np.uint64(16) | rows["peer_port"]
    keys = (keys ^ ports) * PRIMES[0] ^ rows["protocol"]
    for column, primes in zip(ADDRESSES, (PRIMES[:2], PRIMES[2:]), strict=True):
        words = np.ascontiguousarray(rows[column]).view(np.uint64)
        keys = (keys ^ keys >> U32) * PRIMES[1] + words[:, 0] * primes[0] + words[:, 1] * primes[1]
    mixed: Keys = keys | np.uint64(1)
    return mixed


def _match_keys(keys: Keys, known: Keys) -> Numbers:
    """Where each key stands among the known ones, if it is there once and asked for once."""
    found = np.full(len(keys), NOBODY, np.int64)
    shared, first, counts = np.unique(known, return_index=True, return_counts=True)
    asked, asked_at, asked_counts = np.unique(keys, return_index=True, return_counts=True)
    at = np.searchsorted(shared, asked).clip(max=len(shared) - 1)
    good = (shared[at] == asked) & (counts[at] == 1) & (asked_counts == 1) & (asked != 0)
    found[asked_at[good]] = first[at[good]]
    return found


def _is_same(rows: Rows, known: Rows) -> npt.NDArray[np.bool_]:
    same = np.ones(len(rows), np.bool_)
    for column in ENDS:
        same &= rows[column] == known[column]
    for column in ADDRESSES:
        same &= (rows[column] == known[column]).all(axis=1)
    for column in ("socket_id", "socket_inode"):
        same &= (rows[column] == known[column]) | (rows[column] == 0) | (known[column] == 0)
    join = np.uint16(Group.JOIN)
    both_know = rows["known"] & known["known"] & join != 0
    for column in ("isn_local", "isn_peer"):
        same &= ~both_know | (rows[column] == known[column])
    return same
