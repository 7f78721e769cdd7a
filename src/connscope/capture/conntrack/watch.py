"""UDP flows of all namespaces, with their owners, beside the sockets of a tier's looks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from connscope.capture.conntrack.home import ConntrackHome
from connscope.capture.conntrack.memory import FlowMemory
from connscope.capture.conntrack.owners import KnownSockets, keys_of_ends
from connscope.capture.tier import BATCH_ROWS
from connscope.row.columns import ROW, Rows
from connscope.row.words import Group, Kind, Protocol, Role, Tier

__all__ = ("ConntrackWatch",)

NOTHING = np.empty(0, ROW)
FREE_S, SHARE = 0.05, 30
"""To ask conntrack in all namespaces takes this thread no more than so long, or comes a rest: so
many times as long as it took. Each time the kernel walks its whole table."""
Mask = npt.NDArray[np.bool_]


class ConntrackWatch:
    """Makes a tier's rows of what conntrack tells.

    Args:
        tier: of all rows.
        clock: seconds that only grow.
        work: seconds for which this thread has worked.
    """

    def __init__(
        self,
        tier: Tier,
        clock: Callable[[], float] = time.monotonic,
        work: Callable[[], float] = time.thread_time,
    ) -> None:
        self._tier, self._clock, self._work = tier, clock, work
        self._memory = FlowMemory()
        self._sockets = KnownSockets(NOTHING)
        self._shown, self._begun = NOTHING, list[Rows]()
        self._due_s = -math.inf
        self._dropped = 0

    def take_dropped(self) -> int:
        """How many messages found no room since the last call."""
        dropped, self._dropped = self._dropped, 0
        return dropped

    def hear(self, home: ConntrackHome) -> tuple[Rows, int]:
        """Flows of a namespace that have begun, ``opened``, or that conntrack has forgotten,
        ``idle``: a batch of what waits; of how many messages.

        Raises:
            FailedError: what came can not be read.
        """
        rows, heard, dropped = home.hear(BATCH_ROWS, self._memory.has)
        self._dropped += dropped
        if not len(rows):
            return rows, heard
        rows["tier"] = self._tier
        begins = rows["kind"] == Kind.OPENED
        opened, ended = rows[begins], rows[~begins]
        keep = np.ones(len(rows), np.bool_)
        keep[begins] = self._give_owners(opened, home.are_for_groups(opened))
        begun = opened[keep[begins]]
        self._memory.remember(begun)
        if self._clock() < self._due_s:  # else the next look asks
            self._begun.append(begun)
        keep[~begins] = self._recall(ended, home.are_for_groups(ended))
        rows[begins], rows[~begins] = opened, ended
        self._forget_ended(rows)
        return rows[keep], heard

    def _give_owners(self, rows: Rows, for_groups: Mask) -> Mask:
        """Which of the rows are to be told: what goes to a group only where a socket hears it.

        What comes to a port on which no look has shown a socket may be for nobody.
        """
        has_socket = self._sockets.fill(rows)
        unsure = (rows["role"] == Role.SERVER) & ~has_socket
        rows["exact"][unsure] &= np.uint16(0xFFFF & ~Group.ENDS)
        return has_socket | ~for_groups

    def _recall(self, rows: Rows, for_groups: Mask) -> Mask:
        held = self._memory.recall(rows)
        rows["closed_ns"] = np.maximum(rows["closed_ns"], rows["opened_ns"])
        unknown = rows[~held]
        keep = held.copy()
        keep[~held] = self._give_owners(unknown, for_groups[~held])
        rows[~held] = unknown
        unsure = held & (rows["role"] == Role.SERVER) & (rows["known"] & Group.OWNER == 0)
        rows["exact"][unsure] &= np.uint16(0xFFFF & ~Group.ENDS)
        return keep

    def _forget_ended(self, rows: Rows) -> None:
        """Those of which the last that was said is that they are over."""
        newest_first = rows[::-1]
        ids, last = np.unique(newest_first["connection_id"], return_index=True)
        self._memory.forget(ids[newest_first["kind"][last] == Kind.IDLE])

    def look(self, homes: Iterable[ConntrackHome], sockets: Rows) -> Rows:
        """A look at sockets with the flows that there are. Where asking conntrack takes long, some
        looks show the counters of an earlier one.

        A socket that is connected is left out while its only flow is shown.

        Args:
            homes: those to ask.
            sockets: of the look, with owners.
        """
        self._sockets = KnownSockets(sockets)
        if self._clock() >= self._due_s:
            self._ask(homes)
        flows = self._flows_now()
        if not len(flows):
            return sockets
        is_udp = (sockets["protocol"] == Protocol.UDP) & (sockets["peer_port"] > 0)
        is_shown = np.zeros(len(sockets), np.bool_)
        is_shown[is_udp] = np.isin(keys_of_ends(sockets[is_udp]), keys_of_ends(flows))
        return np.concatenate((sockets[~is_shown], flows))

    def _ask(self, homes: Iterable[ConntrackHome]) -> None:
        began_s, parts = self._work(), [NOTHING]
        for home in homes:
            rows = home.look(self._memory.has)
            if home.look_failure:  # what was there still is, as far as anybody knows
                before = self._flows_now()
                parts.append(before[before["netns"] == home.inode])
                continue
            known = self._memory.has(rows["connection_id"])
            parts.append(rows[self._give_owners(rows, home.are_for_groups(rows)) | known])
        flows = np.concatenate(parts)
        flows["tier"] = self._tier
        self._memory.recall(flows)
        self._memory.remember(flows)
        self._memory.compare(flows)
        self._shown, self._begun = flows, []
        took_s = self._work() - began_s
        self._due_s = self._clock() + (SHARE * took_s if took_s > FREE_S else 0.0)

    def _flows_now(self) -> Rows:
        """Those of the last time that conntrack was asked, and what was heard of since."""
        begun = np.concatenate((NOTHING, *self._begun))
        fresh = np.unique(begun["connection_id"], return_index=True)[1]
        begun = begun[fresh[~np.isin(begun["connection_id"][fresh], self._shown["connection_id"])]]
        begun["kind"] = Kind.SNAPSHOT
        flows = np.concatenate((self._shown, begun))
        found: Rows = flows[self._memory.has(flows["connection_id"])]
        return found

    def limits(self, homes: Sequence[ConntrackHome]) -> list[str]:
        """What can not be seen, a sentence each."""
        said = list[str]()
        refusals = [home.refusal for home in homes if home.refusal]
        heard = [home for home in homes if home.is_open]
        if refusals:
            where = _where(len(refusals), len(homes))
            said.append(f"short UDP flows are not seen{where}: {refusals[0].reason}")
        failures = [home.look_failure for home in homes if home.look_failure]
        if failures:
            where = _where(len(failures), len(homes))
            said.append(f"UDP flows are not in looks{where}: {failures[0].reason}")
        if silent := sum(not home.follows for home in heard):
            said.append(
                f"short UDP flows are not seen{_where(silent, len(homes))}: conntrack follows "
                "nothing there so far; it does where a rule needs it (nft: ct state)"
            )
        if mute := sum(not home.counts for home in heard):
            said.append(
                f"the bytes of UDP flows are not known{_where(mute, len(homes))}: sysctl "
                "net.netfilter.nf_conntrack_acct was 0 there when they began"
            )
        return said


def _where(some: int, total: int) -> str:
    return "" if some == total == 1 else f" in {some} of {total} network namespaces"
