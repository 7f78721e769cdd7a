"""The netlink tier: sock_diag dumps, and news of sockets that go away; no BPF at all."""

from __future__ import annotations

import socket

import numpy as np
import numpy.typing as npt

from connscope.capture.broadcasts import Broadcasts
from connscope.capture.conntrack.watch import ConntrackWatch
from connscope.capture.inheritance import give_listeners_owner
from connscope.capture.netlink.homes import Home, Homes
from connscope.capture.netlink.memory import SocketMemory
from connscope.capture.netlink.rows import (
    closed_rows,
    minisocket_rows,
    snapshot_rows,
    was_connection,
    was_wiped,
)
from connscope.capture.tier import BATCH_ROWS, Losses, OpenedTier
from connscope.config import Config
from connscope.errors import KernelError, NotSupportedError
from connscope.kernel.host.capabilities import missing_capabilities
from connscope.kernel.host.clock import boottime_ns
from connscope.kernel.host.namespaces import in_initial_pid_namespace
from connscope.kernel.netlink.layout import SOCKET, Sockets
from connscope.row.columns import ROW, Rows, lost_row
from connscope.row.words import Group, Kind, Protocol, State, Tier

__all__ = ("NetlinkTier",)

FAMILIES = (socket.AF_INET, socket.AF_INET6)
ALL_STATES = 0xFFFFFFFF
ROUNDS = 256  # more than any receive buffer holds; who makes more meanwhile has to wait
SOCKET_STATES = sum(
    1 << state for state in State if state not in (State.SYN_RECV, State.TIME_WAIT, State.CLOSE)
)
MINISOCKET_STATES = 1 << State.SYN_RECV | 1 << State.TIME_WAIT | 1 << State.FIN_WAIT2


class NetlinkTier(OpenedTier):
    """Captures the closes of TCP connections, with their bytes, and looks at TCP and UDP sockets.

    With `udp` it also tells of UDP flows, in namespaces in which conntrack follows them.

    `connection_id` is the socket's cookie. What other tiers add to it, the ISN, is not told by
    sock_diag, so two connections of one socket, one after the other, have the same.

    A namespace that has no process and no mount any more is kept until the next look.

    Args:
        config: `netlink_receive_bytes`, `owner_check_interval_s`, `udp`.
        hears_news: else only looks are taken.
        protocols: that looks are taken at.

    Attributes:
        tier: of all rows.
        kinds: what `events` can tell of TCP, and ``idle`` if UDP flows are told; those open too.
    """

    tier = Tier.NETLINK
    kinds: frozenset[Kind] = frozenset((Kind.CLOSED, Kind.LOST))

    def __init__(
        self,
        config: Config,
        *,
        hears_news: bool = True,
        protocols: tuple[Protocol, ...] = (Protocol.TCP, Protocol.UDP),
    ) -> None:
        self._receive_bytes = config.netlink_receive_bytes if hears_news else 0
        self._homes: Homes | None = None
        self._memory = SocketMemory(config.owner_check_interval_s)
        self._broadcasts = Broadcasts()
        self._waiting = np.empty(0, ROW)
        self._lost = self._lost_untold = 0
        self._dropped = 0
        self._has_tcp, self._has_udp = (each in protocols for each in Protocol)
        self._flows = ConntrackWatch(self.tier) if config.udp and hears_news else None

    def open(self) -> None:
        """Hears of closes from now on, in all namespaces that may be entered; takes a first look.

        Where news may not be heard only looks can be had, see `limits`.

        Raises:
            NotSupportedError: this kernel has no sock_diag for TCP.
            FailedError: it was tried and failed.
        """
        self._homes = homes = Homes(self._receive_bytes, follows_udp=self._flows is not None)
        try:
            if not any(home.news for home in homes):
                self.kinds = frozenset()
            if any(home.udp.is_open for home in homes):
                self.kinds |= {Kind.IDLE, Kind.LOST}
            self.look()
        except BaseException:
            self.close()
            raise

    @property
    def limits(self) -> tuple[str, ...]:
        """What can not be seen here, and what would help: a sentence for each."""
        homes, said = self._open_homes, list[str]()
        if self._receive_bytes and not homes.hear_news:
            said.append("some closed connections are not told: CAP_NET_ADMIN is missing")
        if missing_capabilities(("CAP_SYS_ADMIN",)):
            said.append("other network namespaces are not seen: CAP_SYS_ADMIN is missing")
        elif homes.refused:
            said.append(f"{homes.refused} network namespaces could not be entered")
        if missing_capabilities(("CAP_SYS_PTRACE",)):
            said.append("only our own processes are known as owners: CAP_SYS_PTRACE is missing")
        if not in_initial_pid_namespace():
            said.append("only processes of this pid namespace are known, by its own pids")
        if not self._has_udp:
            said.append("UDP sockets are not seen: the kernel has no udp_diag")
        if self._flows:
            said += self._flows.limits([home.udp for home in homes])
        return tuple(said)

    def look(self) -> Rows:
        """All open TCP and UDP sockets, see `CaptureTier.look`; one that moves may be missing.

        MPTCP sockets are none of them, their subflows are.
        """
        for ended in self._open_homes.refresh():
            with ended:
                self._hear_all(ended)
        time_ns = boottime_ns()
        parts = [part for home in self._open_homes for part in self._dump(home, time_ns)]
        rows = np.concatenate(parts) if parts else np.empty(0, ROW)
        known = self._memory.remember(rows).copy()  # of an estimate nothing is remembered
        give_listeners_owner(known)
        if self._flows:
            known = self._flows.look([home.udp for home in self._open_homes], known)
        self._broadcasts.mark(known)
        return known

    def _dump(self, home: Home, time_ns: int) -> list[Rows]:
        parts = list[Rows]()
        for family in FAMILIES:
            if self._has_tcp:
                sockets = _read(home, family, Protocol.TCP, SOCKET_STATES)
                # FIN_WAIT2 is also a state of what is left of an orphan, which has no counters.
                sockets = sockets[sockets["info_bytes"] > 0]
                parts.append(snapshot_rows(sockets, Protocol.TCP, home.inode, time_ns))
            if self._has_udp:
                try:
                    sockets = _read(home, family, Protocol.UDP, ALL_STATES)
                except NotSupportedError:
                    self._has_udp = False
                else:
                    parts.append(snapshot_rows(sockets, Protocol.UDP, home.inode, time_ns))
        return parts

    def minisockets(self) -> Rows:
        """What the kernel keeps of connections that are no sockets: SYN_RECV and TIME_WAIT."""
        parts, time_ns = [np.empty(0, ROW)], boottime_ns()
        for home in self._open_homes:
            for family in FAMILIES:
                sockets = _read(home, family, Protocol.TCP, MINISOCKET_STATES)
                sockets = sockets[sockets["info_bytes"] == 0]
                parts.append(minisocket_rows(sockets, home.inode, time_ns))
        return np.concatenate(parts)

    def wait(self, timeout_s: float | None) -> bool:
        """Waits until there are events; False when the time is over."""
        return bool(len(self._waiting)) or self._open_homes.wait(timeout_s)

    def events(self) -> Rows:
        """The connections closed since the last call, see `CaptureTier.events`.

        After a loss a new dump shows which of the sockets of the last one are gone; those are told
        with their counters of then, and the rest is in a lost row.
        """
        homes = self._open_homes
        if len(self._waiting) < BATCH_ROWS:
            for home in homes:
                self._hear(home)
        if self._dropped:
            self._answer_loss()
        if self._lost_untold:
            missing = lost_row(self._lost_untold, boottime_ns(), self.tier)
            self._waiting = np.concatenate((missing, self._waiting))
            self._lost += self._lost_untold
            self._lost_untold = 0
        rows, self._waiting = self._waiting[:BATCH_ROWS], self._waiting[BATCH_ROWS:]
        return rows

    def _hear_all(self, home: Home) -> None:
        """Makes rows of all that is waiting in a namespace, or comes in quickly."""
        for _ in range(ROUNDS):
            if self._hear(home) < BATCH_ROWS:
                return

    def _hear(self, home: Home) -> int:
        """Makes rows of a batch of what is waiting in a namespace; of how many messages."""
        heard = self._hear_flows(home)
        if not home.news:
            return heard
        sockets = home.news.read(BATCH_ROWS)
        self._dropped += home.news.dropped()
        if not len(sockets):
            return heard
        known = self._memory.recall(_cookies(sockets), home.inode, sockets["diag"]["local_port"])
        fresh, time_ns = ~known.is_told, boottime_ns()
        wiped, connected = was_wiped(sockets), was_connection(sockets)
        whole = fresh & connected & ~wiped
        rows = closed_rows(sockets[whole], home.inode, time_ns, known.of(whole))
        had_peer = fresh & wiped & known.where & _are_connections(known.rows)
        remembered = _closed_as_remembered(known.rows[had_peer], time_ns)
        # A connection without ends that no look has seen: there is nothing to make a row of. And
        # what was told after a loss, without news, was none of what had been lost.
        unseen = fresh & wiped & connected & ~known.where
        self._lost_untold += int((unseen | known.is_told).sum())
        self._waiting = np.concatenate((self._waiting, rows, remembered))
        return max(len(sockets), heard)

    def _hear_flows(self, home: Home) -> int:
        if not self._flows:
            return 0
        rows, heard = self._flows.hear(home.udp)
        self._lost_untold += self._flows.take_dropped()
        self._broadcasts.mark(rows)
        self._waiting = np.concatenate((self._waiting, rows))
        return heard

    def _answer_loss(self) -> None:
        dropped, self._dropped = self._dropped, 0
        try:
            self.look()
        except KernelError:
            self._lost_untold += dropped
            return
        for home in self._open_homes:
            self._hear_all(home)
        gone = self._memory.take_gone()
        rows = _closed_as_remembered(gone[_are_connections(gone)], boottime_ns())
        self._waiting = np.concatenate((self._waiting, rows))
        self._lost_untold += max(dropped - len(rows), 0)

    def losses(self) -> Losses:
        """What went missing so far: no more connections than that, because sockets that never had
        a peer make news too."""
        return Losses(rows=self._lost)

    def close(self) -> None:
        """Lets go of all namespaces; a second call does nothing."""
        if self._homes:
            self._homes.close()
            self._homes = None

    @property
    def _open_homes(self) -> Homes:
        if self._homes is None:
            raise RuntimeError("the tier is not open")
        return self._homes


def _read(home: Home, family: int, protocol: int, states: int) -> Sockets:
    try:
        return home.dump.read(family, protocol, states)
    except NotSupportedError:
        if family == socket.AF_INET6:
            return np.empty(0, SOCKET)  # a kernel without IPv6
        raise


def _cookies(sockets: Sockets) -> npt.NDArray[np.uint64]:
    halves = sockets["diag"]["cookie"].astype(np.uint64)
    found: npt.NDArray[np.uint64] = halves[:, 0] | halves[:, 1] << np.uint64(32)
    return found


def _are_connections(rows: Rows) -> npt.NDArray[np.bool_]:
    """TCP with a peer that has answered."""
    found: npt.NDArray[np.bool_] = rows["protocol"] == Protocol.TCP
    found &= (rows["peer_port"] > 0) & (rows["state"] != State.SYN_SENT)
    return found


def _closed_as_remembered(rows: Rows, time_ns: int) -> Rows:
    """Rows of a look as those of closes: the counters may have moved since."""
    rows = rows.copy()
    rows["kind"], rows["state"] = Kind.CLOSED, State.CLOSE
    rows["time_ns"] = rows["closed_ns"] = time_ns
    rows["known"] |= int(Group.LIFE)
    rows["exact"] &= int(Group.ENDS)
    return rows
