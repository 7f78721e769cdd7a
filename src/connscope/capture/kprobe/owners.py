"""Owners that no probe saw: by the fd tables of the last look, or of who listens on the port."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from connscope.capture.inheritance import Listeners
from connscope.kernel.procfs.fd_table import UNLIMITED
from connscope.kernel.procfs.fd_walk import walk_fds
from connscope.kernel.procfs.pace import Pace
from connscope.row.columns import ROW, Rows
from connscope.row.words import Group, Kind, OwnerEvidence, State

__all__ = ("OwnerMemory", "settle_owners")

OWNER_COLUMNS = ("pid", "process_start_ns", "comm", "owner_evidence")
SURE = (OwnerEvidence.CONNECT, OwnerEvidence.ACCEPT)
IS_END = np.isin(np.arange(256), (Kind.CLOSED, Kind.UNLISTENED, Kind.FAILED))
"""By kind."""

Mask = npt.NDArray[np.bool_]


def settle_owners(rows: Rows, holders: Rows) -> None:
    """Gives the sockets of a look the owner that they have now; changes the rows.

    Whoever connected or accepted owns a socket as long as he holds it. Else it is the lowest pid of
    those that do.

    Args:
        rows: with the owners that probes told.
        holders: the same sockets, one for one, with the lowest pid that holds each, if any does.
    """
    told, held = rows["pid"], holders["pid"]
    sure = np.isin(rows["owner_evidence"], SURE) & (told > 0)
    same = told == held
    replaced = (held > 0) & ~same & (~sure | (held > told))
    unsure = (held > 0) & ~same & sure & ~replaced
    if unsure.any():
        replaced |= unsure & ~_still_hold(rows, holders["socket_inode"], unsure)
    _take(rows, holders, replaced)


def _still_hold(rows: Rows, inodes: npt.NDArray[np.uint32], which: Mask) -> Mask:
    pids = np.unique(rows["pid"][which]).tolist()
    tables = walk_fds(pids, Pace(UNLIMITED, 0))
    held = [held.pid << 32 | inode for held in tables for inode in held.fds]
    asked = rows["pid"].astype(np.uint64) << np.uint64(32) | inodes
    found: Mask = which & np.isin(asked, np.array(held, np.uint64))
    return found


def _take(rows: Rows, owners: Rows, which: Mask) -> None:
    for name in OWNER_COLUMNS:
        rows[name][which] = owners[name][which]
    rows["known"][which] |= np.uint16(Group.OWNER)
    rows["exact"][which] &= ~np.uint16(Group.OWNER)


class OwnerMemory:
    """What the last look knew of owners, for events that do not tell any."""

    def __init__(self) -> None:
        self.remember(np.empty(0, ROW))

    def remember(self, look: Rows) -> None:
        """Takes a look in, ascending by socket."""
        self._seen, self._cookies = look, np.ascontiguousarray(look["socket_id"])
        self._listening = look[look["state"] == State.LISTEN]
        self._listeners = Listeners(self._listening)

    def fill(self, events: Rows) -> Rows:
        """Gives events their owners, as far as anybody knows them; the events, changed in place."""
        listeners = self._listeners
        begins, ends = events["kind"] == Kind.LISTENING, events["kind"] == Kind.UNLISTENED
        if begins.any() or ends.any():
            # Who listened at any time meanwhile; from now on without those that are gone.
            all_of_them = np.concatenate((self._listening, events[begins]))
            listeners = Listeners(all_of_them)
            gone = np.isin(all_of_them["socket_id"], events["socket_id"][ends])
            self._listening = all_of_them[~gone]
            self._listeners = Listeners(self._listening)
        self._by_look(events)
        listeners.give_owner(events)
        return events

    def _by_look(self, events: Rows) -> None:
        """Who was found holding a socket had it in the end too, unless its end said who."""
        ends = np.flatnonzero(IS_END[events["kind"]])
        if not len(self._cookies) or not len(ends):
            return
        cookies = events["socket_id"][ends]
        at = np.minimum(np.searchsorted(self._cookies, cookies), len(self._cookies) - 1)
        met = self._cookies[at] == cookies
        if not met.any():
            return
        places, then = ends[met], self._seen[at[met]]
        told = events[places]
        found = (then["connection_id"] == told["connection_id"]) & (then["pid"] > 0)
        was_held = then["owner_evidence"] == OwnerEvidence.FD_TABLE
        passed_on = was_held & np.isin(told["owner_evidence"], SURE)
        _take(told, then, found & ((told["pid"] == 0) | passed_on))
        events[places] = told
