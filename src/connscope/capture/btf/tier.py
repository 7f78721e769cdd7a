"""The btf tier: typed tracepoints and socket storage; no hook on the TCP data path."""

from __future__ import annotations

import math
import time

import numpy as np

from connscope.capture.btf.accept_owner import OWNER, AcceptOwner
from connscope.capture.btf.look import SocketLook
from connscope.capture.btf.udp import UdpFlows
from connscope.capture.exclusion import refuse_excluded_kernel
from connscope.capture.objects import lend_maps, object_path
from connscope.capture.tier import BATCH_ROWS, Losses, OpenedTier
from connscope.config import Config
from connscope.errors import KernelError, NotSupportedError
from connscope.kernel import BpfMap, BpfObject, Btf, RingBuffer
from connscope.kernel.feature import Outcome, probe
from connscope.kernel.host.mounts import find_cgroup2
from connscope.kernel.resource import Resource
from connscope.row.columns import ROW, Rows, lost_row
from connscope.row.words import Kind, Tier

__all__ = ("BtfTier",)

LOSSES = np.dtype(
    [("rows_lost", np.uint64), ("storage_failed", np.uint64), ("owners_full", np.uint64)]
)
ONLY_KEY = bytes(4)
FLOWS_CHECK_S = 1.0
"""So often somebody who waits looks whether there are UDP flows, if they are counted."""
FILLING_SHARE = 4
WITHOUT = {
    "connect attempts": "connects that never send a SYN are not seen",
    "looks": "sockets that are older than connscope have no owner until they close",
    OWNER: "accepted connections have their listener's owner (~) until they close",
    "udp": "UDP flows are not seen",
}


class BtfTier(OpenedTier):
    """Captures with ``btf.bpf.o``, and with the optional programs that can be had.

    Args:
        config: `ring_bytes`, `accept_owner`, `accept_owners_max`, and those of UDP.

    Attributes:
        parts: what became of each optional program, once opened.
    """

    tier = Tier.BTF
    kinds: frozenset[Kind] = frozenset(Kind) - {Kind.IDLE, Kind.SNAPSHOT}

    def __init__(self, config: Config) -> None:
        self._config = config
        self._core: BpfObject | None = None
        self._ring: RingBuffer | None = None
        self._look: SocketLook | None = None
        self._udp: UdpFlows | None = None
        self._more: list[Resource] = []
        self._knobs: dict[str, bool] = {}
        self._lost_told = 0
        self.parts: dict[str, Outcome] = {}

    def open(self) -> None:
        """Loads and attaches; see `CaptureTier.open`. What is optional may fail."""
        refuse_excluded_kernel(self._config.excluded_kernels)
        self._core = core = BpfObject(object_path("btf"))
        accept = AcceptOwner(self._config)
        try:
            self._knobs = {
                "rdonly_cast_exists": kernel_has_rdonly_cast(),
                "accept_owners_kept": accept.keeps_owners,
            }
            core.set(**self._knobs)
            core.maps["rows"].resize(self._config.ring_bytes)
            core.maps["accept_owners"].resize(accept.map_entries)
            core.load()
            self._ring = RingBuffer(core.maps["rows"], ROW)
            self.parts["connect attempts"] = probe("connect attempts", self._watch_connects)
            core.attach()
            self.parts["looks"] = probe("looks", self._look_first)
            self.parts |= accept.attach(core, self._more)
            self.parts["udp"] = self._count_udp()
        except BaseException:
            self.close()
            raise

    def _watch_connects(self) -> None:
        cgroup = find_cgroup2()
        if cgroup is None:
            raise NotSupportedError("connect attempts", "no cgroup2 file system is mounted")
        connect = BpfObject(object_path("connect"))
        self._more.append(connect)
        lend_maps(self._open_core, connect)
        connect.load()
        for program in connect.programs.values():
            self._more.append(program.attach_cgroup(cgroup))

    def _count_udp(self) -> Outcome:
        def count() -> None:
            self._udp = UdpFlows(self._open_core, self._config)
            self._more.append(self._udp)
            self.kinds = self.kinds | {Kind.IDLE}

        if not self._config.udp:
            return Outcome("udp", unwanted="udp = false")
        return probe("udp", count)

    @property
    def udp_way(self) -> str:
        """The object that counts UDP calls; empty if none does."""
        return self._udp.way if self._udp else ""

    def _look_first(self) -> None:
        """Finds the sockets that are older than us, and their owners; events flow already."""
        interval_s = self._config.owner_check_interval_s
        self._look = SocketLook(self._open_core, self._knobs, interval_s)
        self._more.append(self._look)
        self._look.look()

    def look(self) -> Rows:
        """All open TCP sockets of all network namespaces, see `SocketLook.look`, and UDP flows if
        they are counted.

        Raises:
            KernelError: looks can not be had here.
        """
        rows = self._open_look.look()
        return np.concatenate((rows, self._udp.look())) if self._udp else rows

    def minisockets(self) -> Rows:
        """SYN_RECV and TIME_WAIT, see `SocketLook.minisockets`.

        Raises:
            KernelError: looks can not be had here.
        """
        return self._open_look.minisockets()

    @property
    def limits(self) -> tuple[str, ...]:
        """What the lack of an optional part means."""
        return tuple(
            f"{lack} [{part.verdict.value}: {part.reason}]"
            for name, lack in WITHOUT.items()
            if (part := self.parts[name]).error
        )

    def wait(self, timeout_s: float | None) -> bool:
        """Waits until there are events; False when the time is over."""
        ring, udp = self._open_ring, self._udp
        if not udp:
            return ring.wait(timeout_s)
        end_s = time.monotonic() + (math.inf if timeout_s is None else timeout_s)
        while True:
            patience_s = min(end_s - time.monotonic(), udp.due_in_s(), FLOWS_CHECK_S)
            if ring.wait(max(0.0, patience_s)):
                return True
            if udp.due_in_s() <= 0:
                udp.sweep()
            elif time.monotonic() >= end_s:
                return False

    @property
    def is_filling(self) -> bool:
        """Whether a quarter of the ring is full: 9,000 rows by default, 65 ms at the rate at which
        two processors can make connections."""
        return len(self._open_ring) > self._config.ring_bytes // FILLING_SHARE

    def events(self) -> Rows:
        """The rows since the last call, see `CaptureTier.events`; a lost row comes first."""
        if self._udp and self._udp.due_in_s() <= 0:
            self._udp.sweep()
        rows = self._open_ring.read(BATCH_ROWS)
        rows["tier"] = self.tier
        lost = self.losses().rows
        if lost > self._lost_told:
            now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            missing = lost_row(lost - self._lost_told, now_ns, self.tier)
            rows = np.concatenate((missing, rows))
            self._lost_told = lost
        return rows

    def losses(self) -> Losses:
        """What went missing so far."""
        values = self._open_core.maps["losses"].get(ONLY_KEY) or b""
        total = [int(np.frombuffer(values, LOSSES)[name].sum()) for name in LOSSES.names or ()]
        total.append(self._udp.dropped if self._udp else 0)
        return Losses(*total)

    def map(self, name: str) -> BpfMap:
        """A map of the core object, for those who look inside: tests, doctor."""
        return self._open_core.maps[name]

    def close(self) -> None:
        """Detaches and unloads everything; a second call does nothing."""
        for part in reversed(self._more):
            part.close()
        self._more = []
        self._look = self._udp = None
        if self._ring is not None:  # an empty one is false
            self._ring.close()
            self._ring = None
        if self._core:
            self._core.close()
            self._core = None

    @property
    def _open_core(self) -> BpfObject:
        if self._core is None:
            raise RuntimeError("the tier is not open")
        return self._core

    @property
    def _open_look(self) -> SocketLook:
        if self._look is None:
            refusal = self.parts["looks"].error if self._core else None
            raise refusal or RuntimeError("the tier is not open")
        return self._look

    @property
    def _open_ring(self) -> RingBuffer:
        if self._ring is None:
            raise RuntimeError("the tier is not open")
        return self._ring


def kernel_has_rdonly_cast() -> bool:
    """True if typed casts can be had (6.2); they lead from an MPTCP subflow to its socket."""
    try:
        with Btf.of_kernel() as kernel:
            return kernel.has_function("bpf_rdonly_cast")
    except KernelError:
        return False
