"""What the last two looks showed: destroyed sockets can not tell any more who owned them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.capture.netlink.rows import Known
from connscope.kernel.procfs.fd_table import find_socket_owners
from connscope.row.columns import ROW, Rows
from connscope.row.words import Group, OwnerEvidence, Protocol, State

__all__ = ("SocketMemory",)

OWNER_COLUMNS = ("pid", "process_start_ns", "comm", "owner_evidence")
FindOwners = Callable[[npt.NDArray[np.uint32]], npt.NDArray[Any]]


class SocketMemory:
    """Remembers looks; two of them, because news of a socket may come after the look without it.

    Args:
        owner_check_interval_s: how often all owners are asked for again; else only those of sockets
            that are new.
        find_owners: the holders of sockets, by inode.
    """

    def __init__(
        self, owner_check_interval_s: float, find_owners: FindOwners = find_socket_owners
    ) -> None:
        self._interval_s, self._find_owners = owner_check_interval_s, find_owners
        self._checked_s = -math.inf
        self._looks: list[Rows] = [np.empty(0, ROW), np.empty(0, ROW)]
        self._closed: list[npt.NDArray[np.bool_]] = [np.empty(0, bool), np.empty(0, bool)]
        self._listening: npt.NDArray[np.uint64] = np.empty(0, np.uint64)

    @property
    def latest(self) -> Rows:
        """The last look, ascending by cookie."""
        return self._looks[0]

    def take_gone(self) -> Rows:
        """What the look before the last has shown, the last has not, and no news has told of. It
        counts as told from now on."""
        now, before = self._looks
        is_gone = ~self._closed[1] & ~_find(now, before["socket_id"], before["netns"])[0]
        self._closed[1] |= is_gone
        gone: Rows = before[is_gone]
        return gone

    def remember(self, rows: Rows) -> Rows:
        """Gives a look its owners; the same rows with them, ascending by cookie."""
        rows = rows[np.argsort(rows["socket_id"], kind="stable")]
        is_due = time.monotonic() - self._checked_s >= self._interval_s
        unsure = rows["socket_inode"] > 0
        found, at = _find(self.latest, rows["socket_id"], rows["netns"])
        found[found] = self.latest["socket_inode"][at[found]] == rows["socket_inode"][found]
        # Before they are asked for: who closes his socket meanwhile has not lost it.
        for name in OWNER_COLUMNS:
            rows[name][found] = self.latest[name][at[found]]
        if is_due:
            self._checked_s = time.monotonic()
        else:
            unsure &= ~found
        if unsure.any():
            self._ask_for_owners(rows, unsure)
        rows["known"] |= np.where(rows["pid"] > 0, Group.OWNER, 0).astype(np.uint16)
        self._looks = [rows, self.latest]
        self._closed = [np.zeros(len(rows), bool), self._closed[0]]
        listens = (rows["state"] == State.LISTEN) & (rows["protocol"] == Protocol.TCP)
        self._listening = np.unique(_ports(rows["netns"][listens], rows["local_port"][listens]))
        return rows

    def _ask_for_owners(self, rows: Rows, where: npt.NDArray[np.bool_]) -> None:
        inodes = rows["socket_inode"]
        owners = self._find_owners(inodes[where])
        if not len(owners):
            return
        at = np.minimum(np.searchsorted(owners["inode"], inodes), len(owners) - 1)
        found = where & (owners["inode"][at] == inodes)
        for name in ("pid", "process_start_ns", "comm"):
            rows[name][found] = owners[name][at[found]]
        rows["owner_evidence"][found] = OwnerEvidence.FD_TABLE

    def recall(
        self, cookies: npt.NDArray[np.uint64], netns: int, ports: npt.NDArray[np.uint16]
    ) -> Known:
        """What is known of sockets of a namespace that have closed, and that they have.

        Args:
            cookies: of them.
            netns: inode of the namespace.
            ports: their local ports, one for one.
        """
        namespaces = np.full(len(cookies), netns, np.uint32)
        rows, where = np.zeros(len(cookies), ROW), np.zeros(len(cookies), bool)
        is_told = np.zeros(len(cookies), bool)
        for look, closed in zip(self._looks[::-1], self._closed[::-1], strict=True):
            is_here, at = _find(look, cookies, namespaces)
            rows[is_here], where = look[at[is_here]], where | is_here
            is_told[is_here] |= closed[at[is_here]]
            closed[at[is_here]] = True
        return Known(rows, where, np.isin(_ports(namespaces, ports), self._listening), is_told)


def _ports(netns: npt.NDArray[np.uint32], port: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint64]:
    """A number for each port of each namespace."""
    found: npt.NDArray[np.uint64] = netns.astype(np.uint64) << np.uint64(16) | port
    return found


def _find(
    look: Rows, cookies: npt.NDArray[np.uint64], netns: npt.NDArray[np.uint32]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Whether a look has each of the cookies, and its place there. Cookies were once counted in
    each namespace for itself."""
    if not len(look):
        return np.zeros(len(cookies), bool), np.zeros(len(cookies), np.int64)
    at = np.minimum(np.searchsorted(look["socket_id"], cookies), len(look) - 1)
    return (look["socket_id"][at] == cookies) & (look["netns"][at] == netns), at
