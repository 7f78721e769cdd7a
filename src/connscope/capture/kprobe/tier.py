"""The kprobe tier: probes at functions of the kernel, for kernels whose types nobody knows.

Where the kernel keeps its fields is told by BTF, or found out (`connscope.capture.kprobe.guess`).
No probe is on the way of data: bytes are the kernel's own counters, read when a connection ends and
when we look.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from connscope.capture.exclusion import refuse_excluded_kernel
from connscope.capture.kprobe.look import KprobeLook
from connscope.capture.kprobe.offsets import Offsets, find_offsets
from connscope.capture.kprobe.owners import OwnerMemory
from connscope.capture.kprobe.perf_rows import PerfRows
from connscope.capture.kprobe.udp import ProbedUdpFlows
from connscope.capture.kprobe.watchers import AcceptWatchers
from connscope.capture.objects import lend_maps, object_path
from connscope.capture.ring_tier import FILLING_SHARE, RingTier, RowSource
from connscope.capture.tier import Losses
from connscope.config import Config
from connscope.errors import NotSupportedError
from connscope.kernel import BpfMap, BpfObject, PerfBuffer
from connscope.kernel.feature import Outcome, probe
from connscope.kernel.host.clock import asleep_ns
from connscope.kernel.host.detached_mount import mount_detached
from connscope.kernel.host.mounts import find_cgroup2
from connscope.kernel.kprobes import Kprobes
from connscope.kernel.libbpf import error_from
from connscope.kernel.ring import has_ring_buffers
from connscope.kernel.stats import read_missed_runs
from connscope.row.columns import ROW, Rows
from connscope.row.words import Protocol, Tier

__all__ = ("KprobeTier",)

PROBES = (
    ("set_state", "tcp_set_state", 0),
    ("send_syn", "tcp_connect", 0),
    ("destroy", "tcp_v4_destroy_sock", 0),
)
"""Of the core: program, function, and of how many calls at a time the return is waited for; 0: at
the call."""

CALL_PROBES = (
    ("listen_returns", "inet_csk_listen_start", 256),
    ("listen", "inet_csk_listen_start", 0),
    ("connect_v4_returns", "tcp_v4_connect", 1024),
    ("connect_v4", "tcp_v4_connect", 0),
    ("connect_v6_returns", "tcp_v6_connect", 1024),
    ("connect_v6", "tcp_v6_connect", 0),
    ("connect_v4_returns", "tcp_v4_pre_connect", 1024),
    ("connect_v4", "tcp_v4_pre_connect", 0),
    ("connect_v6_returns", "tcp_v6_pre_connect", 1024),
    ("connect_v6", "tcp_v6_pre_connect", 0),
    ("accept_returns", "inet_csk_accept", 4096),
)
"""The same of ``kprobe_calls.bpf.o``. So many can sit in accept(). The kernel asks the programs of
a cgroup that may deny a connect in tcp_v4_pre_connect (d74bad4e74ee, 4.17)."""

MAY_BE_MISSING = ("v6", "pre_connect")
"""Parts of the names of functions that a kernel can do without."""

SOCKETS_MAX = 1 << 17
"""How many open connections and listeners are remembered; each takes 200 bytes."""

MISSED_CHECK_S = 1.0
MPTCP = Path("/proc/sys/net/mptcp/enabled")


class KprobeTier(RingTier):
    """Captures with ``kprobe.bpf.o`` and ``kprobe_calls.bpf.o``.

    Args:
        config: `ring_bytes`, `owner_check_interval_s`, and those of UDP.

    Attributes:
        offsets: where the fields are, once opened.
        parts: what became of each optional part, once opened.
    """

    tier = Tier.KPROBE

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._kprobes: Kprobes | None = None
        self._calls: BpfObject | None = None
        self._look: KprobeLook | None = None
        self._watchers: AcceptWatchers | None = None
        self._owners = OwnerMemory()
        self._missed, self._missed_checked_s = 0, 0.0
        self._through_perf = False
        self.offsets = Offsets({}, "")
        self.parts: dict[str, Outcome] = {}

    def open(self) -> None:
        """Finds the fields, loads and attaches, and looks; see `CaptureTier.open`."""
        refuse_excluded_kernel(self._config.excluded_kernels)
        try:
            self._kprobes = kprobes = self._hold(Kprobes())
            self.offsets = find_offsets(kprobes)
            knobs = self.offsets.knobs | self._knobs_of_rows()
            self._core = core = self._hold(BpfObject(object_path("kprobe")))
            core.set(**knobs)
            core.maps["known_sockets"].resize(SOCKETS_MAX)
            core.maps["rows" if self._through_perf else "perf_rows"].leave_out()
            self._load_core(core)
            self._give_cookies()
            calls = self._load_calls(core, knobs)
            self._attach(core, PROBES, kprobes)
            self._attach(calls, CALL_PROBES, kprobes)
            self._look = self._hold(KprobeLook(core, kprobes, knobs, self._config))
            self.look()
            self._watchers = self._hold(AcceptWatchers(calls, kprobes))
            self.parts["udp"] = self._count_udp()
        except BaseException:
            self.close()
            raise

    def _knobs_of_rows(self) -> dict[str, int]:
        """How rows leave the kernel: the perf buffer's way has no clock that counts sleep."""
        self._through_perf = not has_ring_buffers()
        if not self._through_perf:
            return {}
        return {"rows_through_perf": True, "boottime_ahead_ns": asleep_ns()}

    def _open_source(self, core: BpfObject) -> RowSource:
        if not self._through_perf:
            return super()._open_source(core)
        each = self._config.ring_bytes // mmap.PAGESIZE // (os.cpu_count() or 1)
        pages = 1 << max(0, each.bit_length() - 1)
        return self._hold(PerfRows(PerfBuffer(core.maps["perf_rows"], ROW, pages)))

    def _count_udp(self) -> Outcome:
        def count() -> None:
            if self._through_perf:
                raise NotSupportedError("UDP flows", "this kernel has no ring buffer (5.8)")
            with _cgroup2() as root:
                knobs, config = self.offsets.knobs, self._config
                self._begin_udp(ProbedUdpFlows(self._open_core, knobs, root, config, self.look))

        if not self._config.udp:
            return Outcome("udp", unwanted="udp = false")
        return probe("udp", count)

    def _load_calls(self, core: BpfObject, knobs: dict[str, int]) -> BpfObject:
        self._calls = calls = self._hold(BpfObject(object_path("kprobe_calls")))
        calls.set(**knobs)
        lend_maps(core, calls)
        calls.load()
        return calls

    def _attach(
        self, core: BpfObject, probes: Iterable[tuple[str, str, int]], kprobes: Kprobes
    ) -> None:
        for name, function, returns in probes:
            try:
                called = f"{name}_{function}"
                program = core.programs[name]
                self._hold(kprobes.attach(program, function, returns=returns, name=called))
            except NotSupportedError:
                if not any(part in function for part in MAY_BE_MISSING):
                    raise

    def _give_cookies(self) -> None:
        cookies = self._hold(BpfObject(object_path("kprobe_cookie")))
        cookies.load()
        with _cgroup2() as root:
            for program in cookies.programs.values():
                self._hold(program.attach_cgroup(root))

    def look(self) -> Rows:
        """All open TCP sockets, and UDP's: flows if they are counted, else sockets too.

        See `CaptureTier.look`.
        """
        rows = self._open_look.look()
        self._owners.remember(rows)
        if self._watchers:
            self._watchers.sweep()
        return self._with_flows(rows[rows["protocol"] != Protocol.UDP]) if self._udp else rows

    def minisockets(self) -> Rows:
        """SYN_RECV and TIME_WAIT, see `CaptureTier.minisockets`."""
        return self._open_look.minisockets()

    @property
    def limits(self) -> tuple[str, ...]:
        """What can not be seen here, a sentence each."""
        said = list(self._open_look.limits)
        if "is_mptcp" not in self.offsets.at and _has_mptcp():
            said.append("what MPTCP sends twice is counted twice: this kernel has no BTF")
        if self.offsets.source != "btf" and "task_start" not in self.offsets.at:
            said.append("owners are known by their pid alone: no field has their start")
        udp = self.parts.get("udp")
        if udp and udp.error:
            said.append(f"UDP flows are not seen [{udp.verdict.value}: {udp.reason}]")
        return tuple(said)

    @property
    def is_filling(self) -> bool:
        """Whether a quarter of the ring is full, or of the perf buffer of any CPU."""
        rows = self._open_ring
        is_one_filling = isinstance(rows, PerfRows) and rows.fullness * FILLING_SHARE > 1
        return is_one_filling or super().is_filling

    def events(self) -> Rows:
        """The rows since the last call, see `CaptureTier.events`; a lost row comes first."""
        return self._owners.fill(super().events())

    def _rows_lost(self) -> int:
        """As of a moment ago: tracefs makes a line for each probe of the machine to tell it."""
        if time.monotonic() - self._missed_checked_s >= MISSED_CHECK_S:
            self._count_missed()
        return super().losses().rows + self._missed

    def losses(self) -> Losses:
        """What went missing so far; of hits of probes that the kernel missed each is a row, though
        not each would have become one, and of threads that there was no room to watch each an
        owner."""
        self._count_missed()
        unwatched = self._watchers.unwatched if self._watchers else 0
        return super().losses() + Losses(rows=self._missed, owners=unwatched)

    def _count_missed(self) -> None:
        if not self._kprobes or not self._calls:
            return
        programs = (*self._open_core.programs.values(), *self._calls.programs.values())
        # Runs that were left out while a system call was in a map are counted since 6.7
        # (dd8657894c11).
        runs = sum(read_missed_runs(each) for each in programs)
        self._missed, self._missed_checked_s = self._kprobes.missed() + runs, time.monotonic()

    def map(self, name: str) -> BpfMap:
        """A map of the core object, or of that of the calls."""
        calls = self._calls
        return calls.maps[name] if calls and name in calls.maps else super().map(name)

    def close(self) -> None:
        """Detaches and unloads everything; a second call does nothing."""
        super().close()
        self._kprobes = self._calls = self._look = self._watchers = None

    @property
    def _open_look(self) -> KprobeLook:
        if self._look is None:
            raise RuntimeError("the tier is not open")
        return self._look


@contextmanager
def _cgroup2() -> Iterator[Path]:
    """The root of cgroup2, mounted or not."""
    mounted = find_cgroup2()
    if mounted:
        yield mounted
        return
    try:
        fd = mount_detached("cgroup2")
    except OSError as error:
        raise error_from(error.errno or 0, "cgroup2, for the cookies of sockets") from error
    try:
        yield Path(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)


def _has_mptcp() -> bool:
    try:
        return MPTCP.read_text().strip() == "1"
    except OSError:
        return False
