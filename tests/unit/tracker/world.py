"""A machine that exists in memory: its connections, and tiers that see them in their own ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from connscope.capture.tier import BATCH_ROWS, Losses
from connscope.errors import FailedError, NotSupportedError
from connscope.row.columns import NO_UID, ROW, Rows, lost_row
from connscope.row.words import Group, Kind, OwnerEvidence, Protocol, Role, State, Tier

ALL = sum(Group)
KINDS = {
    Tier.BTF: frozenset(Kind) - {Kind.IDLE, Kind.SNAPSHOT},
    Tier.NETLINK: frozenset((Kind.CLOSED, Kind.LOST)),
    Tier.PROCFS: frozenset[Kind](),
}
NO_BITS = Group(0)
KNOWN = {
    Tier.BTF: ALL,
    Tier.NETLINK: ALL & ~Group.JOIN,
    Tier.PROCFS: Group.IDENTITY | Group.ENDS | Group.OWNER,
}
EXACT = {Tier.BTF: ALL, Tier.NETLINK: int(Group.ENDS), Tier.PROCFS: int(Group.ENDS)}


@dataclass
class Socket:
    """One connection or listener as it really is.

    Attributes:
        serial: its number in this world; rows carry it as `cgroup_id`, so that a test knows it.
        cookie: of the socket; a socket may be connected again.
    """

    serial: int
    cookie: int
    inode: int
    local_port: int
    netns: int
    opened_ns: int
    is_listener: bool = False
    pid: int = 100
    evidence: OwnerEvidence = OwnerEvidence.CONNECT
    sent: int = 0
    has_ended: bool = False

    def row(self, tier: Tier, kind: Kind, time_ns: int) -> Rows:
        """How that tier says it."""
        row = np.zeros(1, ROW)
        known = KNOWN[tier]
        ids = {
            Tier.BTF: self.cookie | (self.serial & 0xFFFF) << 48,
            Tier.NETLINK: self.cookie,
            Tier.PROCFS: 1 << 60 | self.netns << 32 | self.inode,
        }
        values: dict[str, Any] = {
            "connection_id": ids[tier],
            "socket_id": 0 if tier == Tier.PROCFS else self.cookie,
            "socket_inode": self.inode,
            "cgroup_id": self.serial,
            "netns": self.netns,
            "local_port": self.local_port,
            "peer_port": 0 if self.is_listener else 80,
            "protocol": Protocol.TCP,
            "family": 4,
            "state": State.LISTEN if self.is_listener else State.ESTABLISHED,
            "role": Role.CLIENT if tier == Tier.BTF else Role.UNKNOWN,
            "pid": self.pid if tier == Tier.BTF else 7,
            "uid": NO_UID,
            "owner_evidence": self.evidence if tier == Tier.BTF else OwnerEvidence.FD_TABLE,
            "bytes_sent": self.sent if known & Group.TRAFFIC else 0,
            "opened_ns": self.opened_ns if known & Group.LIFE else 0,
            "isn_local": self.serial if known & Group.JOIN else 0,
            "known": known,
            "exact": EXACT[tier],
            "kind": kind,
            "tier": tier,
            "time_ns": time_ns,
        }
        if kind in (Kind.CLOSED, Kind.FAILED, Kind.UNLISTENED):
            values |= {"closed_ns": time_ns}
        if self.has_ended or kind == Kind.FAILED:
            values |= {"state": State.CLOSE}
        for name, value in values.items():
            row[name] = value
        return row


@dataclass
class World:
    """What there is. Whoever listens is told of each event as it happens.

    Attributes:
        open: by serial.
        tells: called with each event's kind and socket.
    """

    now_ns: int = 1_000_000_000
    open: dict[int, Socket] = field(default_factory=dict)
    serials: int = 0
    tells: list[Callable[[Kind, Socket], None]] = field(default_factory=list)

    @property
    def now_s(self) -> float:
        """The same clock, in seconds."""
        return self.now_ns / 1e9

    def _tell(self, kind: Kind, socket: Socket) -> None:
        self.now_ns += 1000
        for tell in list(self.tells):
            tell(kind, socket)

    def make(self, port: int, *, netns: int = 1, cookie: int = 0, listener: bool = False) -> Socket:
        """A new one, not open yet."""
        self.serials += 1
        serial = self.serials
        return Socket(
            serial,
            cookie or 1000 + serial,
            5000 + serial,
            port,
            netns,
            self.now_ns,
            is_listener=listener,
        )

    def begin(self, socket: Socket) -> Socket:
        """It opens, or listens."""
        self.open[socket.serial] = socket
        self._tell(Kind.LISTENING if socket.is_listener else Kind.OPENED, socket)
        return socket

    def end(self, serial: int) -> Socket:
        """It closes, or listens no more."""
        socket = self.open.pop(serial)
        socket.has_ended = True
        self._tell(Kind.UNLISTENED if socket.is_listener else Kind.CLOSED, socket)
        return socket

    def fail(self, socket: Socket) -> None:
        """A connect that does not succeed."""
        self._tell(Kind.FAILED, socket)

    def accept(self, serial: int, pid: int) -> None:
        """Its server takes it."""
        socket = self.open[serial]
        self.accept_late(socket, pid)

    def accept_late(self, socket: Socket, pid: int) -> None:
        """The same, when it may have ended already."""
        socket.pid, socket.evidence = pid, OwnerEvidence.ACCEPT
        self._tell(Kind.ACCEPTED, socket)


class FakeTier:
    """Sees the world as that tier would.

    Attributes:
        in_look: what happens in the middle of the next look.
        earlier: what the next look read before the events that were taken out since.
        left_out: whom the next look does not show.
        lose: how many of the next events are lost.
        slow: how often no event comes out of the ring, although there are some.
        silent: it tells no events, as if somebody had detached its programs.
        broken: its next call fails.
    """

    def __init__(self, world: World, tier: Tier, closed: list[Tier]) -> None:
        self._world, self.tier, self._closed = world, tier, closed
        self.kinds = KINDS[tier]
        self.limits: tuple[str, ...] = ()
        self._events: list[Rows] = []
        self._lost = self._lost_untold = 0
        self.in_look: Callable[[], object] | None = None
        self.earlier: Rows | None = None
        self.left_out: set[int] = set()
        self.lose = self.slow = 0
        self.silent = self.broken = False
        self.is_open = True
        world.tells.append(self._hear)

    def _hear(self, kind: Kind, socket: Socket) -> None:
        if kind not in self.kinds or self.silent:
            return
        if self.lose:
            self.lose -= 1
            self._lost += 1
            self._lost_untold += 1
            return
        self.tell(kind, socket)

    def tell(self, kind: Kind, socket: Socket) -> None:
        """Puts an event into the ring."""
        self._events.append(socket.row(self.tier, kind, self._world.now_ns))

    def _must_work(self) -> None:
        if not self.is_open:
            raise RuntimeError("the tier is not open")
        if self.broken:
            raise FailedError("fake", "broken")

    def open(self) -> None:
        """It is."""

    def wait(self, timeout_s: float | None) -> bool:
        """Time passes at once."""
        self._must_work()
        if not self._events:
            self._world.now_ns += int((timeout_s or 0) * 1e9)
        return bool(self._events)

    @property
    def is_filling(self) -> bool:
        """There is room for three."""
        self._must_work()
        return len(self._events) > 3

    def events(self) -> Rows:
        """As every tier."""
        self._must_work()
        if self.slow:
            self.slow -= 1
            return np.empty(0, ROW)
        taken, self._events = self._events[:BATCH_ROWS], self._events[BATCH_ROWS:]
        if self._lost_untold:
            taken.insert(0, lost_row(self._lost_untold, self._world.now_ns, self.tier))
            self._lost_untold = 0
        return np.concatenate(taken) if taken else np.empty(0, ROW)

    def look(self) -> Rows:
        """One socket after the other; in the middle something may happen."""
        self._must_work()
        serials = sorted(self._world.open)
        half = len(serials) // 2
        found = [self._snapshot(serial) for serial in serials[:half]]
        if self.earlier is not None:
            found.insert(0, self.earlier)
            self.earlier = None
        if happens := self.in_look:
            self.in_look = None
            happens()
        later = [serial for serial in sorted(self._world.open) if serial not in serials[:half]]
        found += [self._snapshot(serial) for serial in later]
        rows = np.concatenate((np.empty(0, ROW), *found))
        rows = rows[~np.isin(rows["cgroup_id"], list(self.left_out))]
        self.left_out.clear()
        return rows

    def _snapshot(self, serial: int) -> Rows:
        return self._world.open[serial].row(self.tier, Kind.SNAPSHOT, self._world.now_ns)

    def minisockets(self) -> Rows:
        """None."""
        return np.empty(0, ROW)

    def losses(self) -> Losses:
        """Counted."""
        return Losses(rows=self._lost)

    def close(self) -> None:
        """Hears nothing any more."""
        if self.is_open:
            self.is_open = False
            self._world.tells.remove(self._hear)
            self._closed.append(self.tier)

    def __enter__(self) -> FakeTier:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class Machine:
    """Opens fake tiers, of which some may not be there.

    Attributes:
        missing: tiers that can not be opened now.
        before_open: what happens before the next one that is there hears anything.
        in_open: what happens while the next one is opened, when it captures already.
        tried: when which one should have been opened.
        opened: all so far.
        closed: the tiers of those that were closed.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.missing: set[Tier] = set()
        self.before_open: Callable[[], object] | None = None
        self.in_open: Callable[[], object] | None = None
        self.tried: list[tuple[float, Tier]] = []
        self.opened: list[FakeTier] = []
        self.closed: list[Tier] = []

    def __call__(self, tier: Tier) -> tuple[FakeTier, Rows]:
        """Opens one, see `TierOpener`."""
        self.tried.append((self.world.now_s, tier))
        if tier in self.missing:
            raise NotSupportedError("fake", f"no {tier.name}")
        if happens := self.before_open:
            self.before_open = None
            happens()
        made = FakeTier(self.world, tier, self.closed)
        self.opened.append(made)
        if happens := self.in_open:
            self.in_open = None
            happens()
        return made, made.events()

    @property
    def current(self) -> FakeTier:
        """The last that was opened."""
        return self.opened[-1]
