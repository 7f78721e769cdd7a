"""Ids for connections that have no cookie: one for each, and the same in each look."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from connscope.row.columns import Rows
from connscope.row.words import Protocol

__all__ = ("SteadyIds", "connection_ids", "tell_subflows_apart")

Words = npt.NDArray[np.uint64]

U32 = np.uint64(32)


def connection_ids(rows: Rows, namespace: int) -> Words:
    """Of namespace and inode, which is one to one but for the subflows of an MPTCP socket; of the
    ends where there is no inode.

    Args:
        rows: of one network namespace, with their ends and inodes.
        namespace: a number that no other namespace has.
    """
    key = np.uint64(namespace & 0xFFFFFFFF)
    inodes = rows["socket_inode"].astype(np.uint64)
    found = _mixed(key << U32 | inodes)
    without = np.flatnonzero(inodes == 0)
    if len(without):
        found[without] = _hashed_ends(rows[without], np.full(len(without), key))
    found[found == 0] = 1
    return found


def tell_subflows_apart(rows: Rows, namespace: int) -> None:
    """Gives TCP sockets of one inode, the subflows of an MPTCP socket, ids of their ends.

    Args:
        rows: of one network namespace, with their ids; changed in place.
        namespace: as in `connection_ids`.
    """
    ids, which, counts = np.unique(rows["connection_id"], return_inverse=True, return_counts=True)
    if len(ids) == len(rows):
        return
    shared = np.flatnonzero((counts[which] > 1) & (rows["protocol"] == Protocol.TCP))
    key = np.full(len(shared), namespace & 0xFFFFFFFF, np.uint64)
    rows["connection_id"][shared] = _hashed_ends(rows[shared], key)


class SteadyIds:
    """Lets a connection keep the id that it had in the look before.

    While it waits to be accepted it has no inode, and again when its program has closed it and the
    kernel has not yet done so.
    """

    def __init__(self) -> None:
        self._ends = self._ids = np.empty(0, np.uint64)
        self._inodes = np.empty(0, np.uint32)

    def keep(self, rows: Rows) -> None:
        """Writes the ids of the last call into rows of the same connections.

        Of the same ends, with the same inode, or once with one and once without. Sockets without a
        peer may share their end; and of a namespace without a number the ends say too little.
        """
        is_tcp = (rows["protocol"] == Protocol.TCP) & (rows["netns"] != 0)
        at = np.flatnonzero(is_tcp & (rows["peer_port"] != 0))
        chosen = rows[at]
        ends = _hashed_ends(chosen, chosen["netns"].astype(np.uint64))
        inodes, ids = chosen["socket_inode"], chosen["connection_id"]
        if len(self._ends):
            before = np.searchsorted(self._ends, ends).clip(max=len(self._ends) - 1)
            had = self._inodes[before]
            same = (self._ends[before] == ends) & ((had == inodes) | (had == 0) | (inodes == 0))
            ids = np.where(same, self._ids[before], ids)
            rows["connection_id"][at] = ids
            inodes = np.where(same & (inodes == 0), had, inodes)
        order = np.argsort(ends)
        self._ends, self._inodes, self._ids = ends[order], inodes[order], ids[order]


def _hashed_ends(rows: Rows, namespaces: Words) -> Words:
    local, peer, protocol = (
        rows[column].astype(np.uint64) for column in ("local_port", "peer_port", "protocol")
    )
    found = _mixed(namespaces ^ _mixed(local << U32 | peer << np.uint64(16) | protocol))
    for column in ("local_address", "peer_address"):
        for word in np.ascontiguousarray(rows[column]).view(np.uint64).T:
            found = _mixed(found + word)
    return found


def _mixed(words: Words) -> Words:
    """The finalizer of splitmix64: each number has one of its own, and 0 has 0."""
    words = (words ^ words >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ words >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return words ^ words >> np.uint64(31)
