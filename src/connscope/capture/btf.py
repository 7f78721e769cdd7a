"""The btf tier: typed tracepoints and socket storage; no hook on the TCP data path."""

from __future__ import annotations

import time

import numpy as np

from connscope.capture.accept_owner import AcceptOwner
from connscope.capture.exclusion import refuse_excluded_kernel
from connscope.capture.look import SocketLook
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
FILLING_SHARE = 4
WITHOUT = {
    "connect attempts": "connects that never send a SYN are not seen",
    "looks": "sockets that are older than connscope have no owner until they close",
    "accept owner": "accepted connections have their listener's owner (~) until they close",
}


class BtfTier(OpenedTier):
    """Captures with ``btf.bpf.o``, and with the optional programs that can be had.

    Args:
        config: `ring_bytes`, `accept_owner`, `accept_owners_max`.

    Attributes:
        parts: what became of each optional program, once opened.
    """

    tier = Tier.BTF
    kinds = frozenset(Kind) - {Kind.IDLE, Kind.SNAPSHOT}

    def __init__(self, config: Config) -> None:
        self._config = config
        self._core: BpfObject | None = None
        self._ring: RingBuffer | None = None
        self._look: SocketLook | None = None
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
            self.parts["accept owner"] = accept.attach(core, self._more)
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

    def _look_first(self) -> None:
        """Finds the sockets that are older than us, and their owners; events flow already."""
        interval_s = self._config.owner_check_interval_s
        self._look = SocketLook(self._open_core, self._knobs, interval_s)
        self._more.append(self._look)
        self._look.look()

    def look(self) -> Rows:
        """All open TCP sockets of all network namespaces, see `SocketLook.look`.

        Raises:
            KernelError: looks can not be had here.
        """
        return self._open_look.look()

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
            f"{WITHOUT[name]} [{part.verdict.value}: {part.reason}]"
            for name, part in self.parts.items()
            if part.error
        )

    def wait(self, timeout_s: float | None) -> bool:
        """Waits until there are events; False when the time is over."""
        return self._open_ring.wait(timeout_s)

    @property
    def is_filling(self) -> bool:
        """Whether a quarter of the ring is full: 9,000 rows by default, 65 ms at the rate at which
        two processors can make connections."""
        return len(self._open_ring) > self._config.ring_bytes // FILLING_SHARE

    def events(self) -> Rows:
        """The rows since the last call, see `CaptureTier.events`; a lost row comes first."""
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
        return Losses(*total)

    def map(self, name: str) -> BpfMap:
        """A map of the core object, for those who look inside: tests, doctor."""
        return self._open_core.maps[name]

    def close(self) -> None:
        """Detaches and unloads everything; a second call does nothing."""
        for part in reversed(self._more):
            part.close()
        self._more = []
        self._look = None
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
