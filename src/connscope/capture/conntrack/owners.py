"""Which socket a flow belongs to: conntrack does not know sockets, a look does."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from connscope.capture.conntrack.keys import Keys, address_words, mixed
from connscope.row.columns import Rows
from connscope.row.words import Group, Protocol

__all__ = ("KnownSockets", "keys_of_ends")

Mask = npt.NDArray[np.bool_]

ANY_V4 = int(np.frombuffer(bytes(2) + b"\xff\xff" + bytes(4), np.uint64)[0])
OWNER = ("pid", "process_start_ns", "comm", "owner_evidence", "uid", "cgroup_id")
SOCKET = ("socket_id", "socket_inode")
NONE = -1


def keys_of_ends(rows: Rows) -> Keys:
    """A number for the namespace and the ends of each row."""
    return _keys(rows, *address_words(rows["local_address"]), connected=True)


class KnownSockets:
    """The UDP sockets of the last look.

    Args:
        rows: of that look, with their owners.
    """

    def __init__(self, rows: Rows) -> None:
        rows = rows[rows["protocol"] == Protocol.UDP]
        local = address_words(rows["local_address"])
        keys = np.where(
            rows["peer_port"] > 0,
            _keys(rows, *local, connected=True),
            _keys(rows, *local, connected=False),
        )
        order = np.lexsort((rows["pid"], keys))
        self._rows, self._keys = rows[order], keys[order]

    def fill(self, rows: Rows) -> Mask:
        """Writes into rows of flows whose socket they are of, if one process alone can be meant.

        Of several sockets the kernel takes the one that is connected to the peer, else the one that
        is bound to the address, else one that takes all; of IPv6 sockets also for IPv4.

        Returns:
            Where some socket takes what comes for the row's local end.
        """
        places = np.full(len(rows), NONE)
        local = address_words(rows["local_address"])
        free = np.ones(len(rows), np.bool_)
        is_connected = self._find(_keys(rows, *local, connected=True), free, places)
        self._find(_keys(rows, *local, connected=False), free, places)
        any_v4 = np.where(rows["family"] == 4, ANY_V4, 0).astype(np.uint64)
        for low in (any_v4, np.zeros_like(any_v4)):
            self._find(_keys(rows, 0, low, connected=False), free, places)
        self._copy(rows, places, is_connected)
        return ~free

    def _find(self, keys: Keys, free: Mask, places: npt.NDArray[np.int64]) -> Mask:
        """Which of the free keys are those of sockets, and free no more; of one process their place
        too."""
        first = np.searchsorted(self._keys, keys)
        last = np.searchsorted(self._keys, keys, side="right") - 1
        found: Mask = (last >= first) & free
        free &= ~found
        at = np.flatnonzero(found)
        pids, first, last = self._rows["pid"], first[at], last[at]
        is_one = (first == last) | ((pids[first] == pids[last]) & (pids[first] > 0))
        places[at[is_one]] = first[is_one]
        return found

    def _copy(self, rows: Rows, places: npt.NDArray[np.int64], is_connected: Mask) -> None:
        at = np.flatnonzero(places != NONE)
        owners = self._rows[places[at]]
        for name in OWNER:
            rows[name][at] = owners[name]
        rows["known"][at] |= owners["known"] & np.uint16(Group.OWNER)
        at = np.flatnonzero((places != NONE) & is_connected)
        for name in SOCKET:
            rows[name][at] = self._rows[name][places[at]]


def _keys(rows: Rows, high: Keys | int, low: Keys | int, *, connected: bool) -> Keys:
    """Of the namespace, a local address in two halves, the local port, and the peer or nobody."""
    port = rows["local_port"]
    if not connected:
        return mixed(rows["netns"], high, low, port, 0, 0, 0)
    return mixed(
        rows["netns"], high, low, port, *address_words(rows["peer_address"]), rows["peer_port"]
    )
