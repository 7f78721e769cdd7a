"""Looks: which sockets there are now, read in the kernel, with owners and counters."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

from connscope.capture.btf.walks import SocketWalks
from connscope.capture.inheritance import give_listeners_owner
from connscope.errors import NotPermittedError
from connscope.kernel import BpfObject
from connscope.kernel.host.clock import boottime_ns
from connscope.kernel.host.mib import count_all_tcp_sockets, count_tcp_sockets
from connscope.kernel.host.network_namespaces import (
    entered_network_namespace,
    find_network_namespaces,
)
from connscope.kernel.resource import Resource
from connscope.row.columns import ROW, Rows
from connscope.row.words import Tier

__all__ = ("SocketLook",)

Result = TypeVar("Result")

LAST_WALK = 254
ROWS_SPARE = 1024


class SocketLook(Resource):
    """Takes looks at all sockets of this machine.

    Args:
        core: loaded and attached, so that no socket opens unseen between the walks. None: only for
            one look; it costs a third of the time.
        knobs: of the core, see `SocketWalks`.
        owner_check_interval_s: see `look`.

    Raises:
        KernelError: not supported, not permitted or failed.

    Attributes:
        tier: of all rows.
        namespaces_refused: how many network namespaces may not be entered; their sockets that are
            older than us and in no fd table are missing.
    """

    tier = Tier.BTF

    def __init__(
        self,
        core: BpfObject | None,
        knobs: Mapping[str, bool],
        owner_check_interval_s: float,
    ) -> None:
        self.namespaces_refused = 0
        self._core, self._knobs = core, knobs
        self._interval_s = owner_check_interval_s
        self._walked_s = -math.inf
        self._walk_number = self._turn = self._whole = self._filled = 0
        self._has_looked = False
        self._walks = SocketWalks(core, knobs, _room_for(count_all_tcp_sockets()))

    def _tag_hidden_sockets(self, shown: Rows) -> bool:
        """Finds what is in no fd table, where the kernel counts more sockets than were shown.

        Returns:
            Whether there was such a namespace.

        iter/tcp goes through the hash table that all namespaces share, so it takes some 20 ms for
        each of them, however few sockets that has.
        """
        inodes, counts = np.unique(shown["netns"], return_counts=True)
        number_shown = dict(zip(inodes.tolist(), counts.tolist(), strict=True))

        def tag(inode: int) -> bool:
            hides_some: bool = count_tcp_sockets() > number_shown.get(inode, 0)
            if hides_some:
                self._walks.tag.read()
            return hides_some

        return any(self._in_each_namespace(tag))

    def _in_each_namespace(self, action: Callable[[int], Result]) -> list[Result]:
        """What comes of an action in each network namespace; it is given the inode of each."""
        found, self.namespaces_refused = list[Result](), 0
        for inode, path in find_network_namespaces().items():
            try:
                with entered_network_namespace(path):
                    found.append(action(inode))
            except NotPermittedError:
                self.namespaces_refused += 1
            except FileNotFoundError:
                continue  # its last process has ended meanwhile, and with it the namespace
        return found

    def look(self) -> Rows:
        """All open TCP sockets, connections and listeners, as rows of kind ``snapshot``.

        Owners are compared with the fd tables of all processes when `owner_check_interval_s` has
        passed, and at once if a socket of which no event told the owner is open for a tenth of a
        second.
        """
        if not self._has_looked:
            return self._first_look()
        if time.monotonic() - self._walked_s >= self._interval_s:
            return self._checked_sockets()
        rows = self._read_sockets(follows_walk=False)
        return self._checked_sockets() if self._walks.heard()["strangers"] else rows

    def _first_look(self) -> Rows:
        self._has_looked = True
        rows = self._checked_sockets()
        found_more = self._tag_hidden_sockets(rows)
        return self._read_sockets(follows_walk=True) if found_more else rows

    def _checked_sockets(self) -> Rows:
        self._walk_number = self._walk_number % LAST_WALK + 1
        self._walked_s = time.monotonic()
        self._walk_fd_tables(replaces_owners=False)
        rows = self._read_sockets(follows_walk=True)
        if self._walks.heard()["wrong_owners"]:
            self._walk_fd_tables(replaces_owners=True)
            rows = self._read_sockets(follows_walk=True)
        return rows

    def _walk_fd_tables(self, *, replaces_owners: bool) -> None:
        self._walks.say(walk=self._walk_number, replaces_owners=replaces_owners)
        self._walks.adopt()

    def _read_sockets(self, *, follows_walk: bool) -> Rows:
        rows = None if follows_walk or not self._whole else self._read_changes()
        if rows is None:
            rows = self._read_all(follows_walk=follows_walk)
        rows["tier"] = Tier.BTF
        give_listeners_owner(rows)
        return rows

    def _read_changes(self) -> Rows | None:
        self._begin_turn(whole=self._whole, filled=self._filled)
        rows = self._walks.read_changes()
        self._filled = int(self._walks.heard()["filled"])
        return rows

    def _read_all(self, *, follows_walk: bool) -> Rows:
        self._begin_turn(whole=self._turn + 1, follows_walk=follows_walk)
        self._whole = self._turn
        rows = self._walks.read_sockets()
        self._filled = len(rows)
        if len(rows) >= self._walks.rows_max:
            self._whole = 0  # the rows are not where their sockets say
            self._make_room(_room_for(len(rows)))
        return rows

    def _begin_turn(self, **fields: int) -> None:
        self._turn += 1
        fields |= {"turn": self._turn, "walk": self._walk_number, "began_ns": boottime_ns()}
        self._walks.say(**fields)

    def _make_room(self, rows_max: int) -> None:
        """A walk without a pause costs half as much, so the next one has none."""
        heard = self._walks.heard()
        larger = SocketWalks(self._core or self._walks.object, self._knobs, rows_max)
        self._walks.close()
        self._walks = larger
        larger.say(**{name: int(heard[name]) for name in ("strangers", "wrong_owners")})

    @property
    def limits(self) -> tuple[str, ...]:
        """What it can not see, a sentence each."""
        if not self.namespaces_refused:
            return ()
        return (
            f"{self.namespaces_refused} network namespaces may not be entered (CAP_SYS_ADMIN): "
            "what is in no process's fd table is missing there",
        )

    def minisockets(self) -> Rows:
        """What the kernel keeps of connections that are no sockets: SYN_RECV and TIME_WAIT.

        Their rows have ends and a state, and nothing else. They take a walk of each network
        namespace, so they are no part of a look.
        """
        found = self._in_each_namespace(lambda _: self._walks.minisockets.read())
        rows = np.concatenate(found) if found else np.empty(0, ROW)
        rows["tier"] = Tier.BTF
        return rows

    def close(self) -> None:
        """Unloads everything; a second call does nothing."""
        self._walks.close()


def _room_for(sockets: int) -> int:
    """How many rows to have memory of the kernel's for."""
    return sockets + sockets // 8 + ROWS_SPARE
