"""UDP flows: what each socket sends to and receives from each of its peers."""

from __future__ import annotations

import math
import time
from typing import TypeVar

import numpy as np

from connscope.capture.broadcasts import Broadcasts
from connscope.capture.objects import lend_maps, object_path
from connscope.config import Config
from connscope.errors import KernelError, NotSupportedError
from connscope.kernel import BpfIterator, BpfMap, BpfObject, MappedArray
from connscope.kernel.host.mounts import find_cgroup2
from connscope.kernel.resource import Resource
from connscope.kernel.stats import read_missed_runs
from connscope.row.columns import ROW, Rows
from connscope.row.words import Group, Kind, Tier

__all__ = ("UdpFlows",)

FLOW = np.dtype(
    [
        ("row", ROW),
        ("last_clock", np.uint64),
        ("generation", np.uint32),
        ("state", np.uint8),
        ("has_failed", np.uint8),
        ("has_guesses", np.uint8),
        ("reserved", np.uint8),
    ]
)
"""``struct udp_flow`` of udp_flow.bpf.h."""

TOTALS = np.dtype([(name, np.uint64) for name in ("begun", "freed", "dropped", "closed")])
BLOCK = np.dtype(np.uint64)
NOTHING = np.dtype(np.uint64)  # of iterators that write no records

LIVE = 1
BLOCK_SLOTS = 256
NS_PER_S = 1_000_000_000
SWEEP_S = 2.0
"""Ends of idle flows are looked for so often: a walk of the empty table takes a millisecond."""
PROMPT_S = 0.1
"""And so soon after a socket with several flows was closed."""

Held = TypeVar("Held", bound=Resource)


WAYS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("udp_fexit", ()),
    ("udp_fexit", ("begin_sendpage", "sendpage")),
    ("udp_calls", ()),
)
"""Objects that count calls, best first, and the programs to leave out."""


def _loaded(way: str, without: tuple[str, ...], *lenders: BpfObject) -> BpfObject:
    calls = BpfObject(object_path(way))
    try:
        for name in without:
            calls.programs[name].autoload = False
        if "sendpage" in calls.programs and not without:
            calls.set(has_sendpage=1)
        for lender in lenders:
            lend_maps(lender, calls)
        return calls.load()
    except BaseException:
        calls.close()
        raise


class UdpFlows(Resource):
    """Counts flows in the kernel's memory; the core's ring tells of their beginnings and ends.

    Args:
        core: loaded; its ring and losses are used.
        config: `udp_flows_max`, `udp_idle_s`, `udp_idle_both_s`.

    Raises:
        KernelError: not supported, not permitted or failed.

    Attributes:
        objects: what is loaded.
        way: the name of the object that counts calls, of `WAYS`.
    """

    def __init__(self, core: BpfObject, config: Config) -> None:
        self._held: list[Resource] = []
        self._swept_s = self._closed_swept = -math.inf
        self.objects: tuple[BpfObject, ...] = ()
        self.way, self._missed = "", 0
        self._broadcasts = Broadcasts()
        try:
            self._open(core, config)
        except BaseException:
            self.close()
            raise

    def _open(self, core: BpfObject, config: Config) -> None:
        cgroup = find_cgroup2()
        if cgroup is None:
            raise NotSupportedError("UDP flows", "no cgroup2 file system is mounted")
        flows, calls = self._load(core, config)
        self.objects = (flows, calls)
        offer = flows.programs["offer_slots"].attach_iterator(NOTHING, flows.maps["flows"])
        offer.read()
        offer.close()
        self._end = self._walk(flows, "end_flows", flows.maps["flow_slots"])
        self._tell = self._walk(flows, "tell_idle", flows.maps["retired_flows"])
        self._flows = self._hold(MappedArray(flows.maps["flows"], FLOW))
        self._blocks = self._hold(MappedArray(flows.maps["flow_blocks"], BLOCK))
        self._totals = self._hold(MappedArray(flows.maps["udp_totals"], TOTALS))
        for program in (*flows.programs.values(), *calls.programs.values()):
            if program.section.startswith("cgroup"):
                self._hold(program.attach_cgroup(cgroup))
            elif program.autoload and not program.is_iterator:
                self._hold(program.attach())
        older = flows.programs["mark_older"].attach_iterator(NOTHING)
        older.read()
        older.close()

    def _load(self, core: BpfObject, config: Config) -> tuple[BpfObject, BpfObject]:
        flows = self._hold(BpfObject(object_path("udp")))
        slots = config.udp_flows_max
        flows.set(
            idle_ns=round(config.udp_idle_s * NS_PER_S),
            idle_both_ns=round(config.udp_idle_both_s * NS_PER_S),
            slots_max=slots,
        )
        for name in ("flow_slots", "flows", "free_slots", "retired_flows"):
            flows.maps[name].resize(slots)
        flows.maps["flow_blocks"].resize((slots + BLOCK_SLOTS - 1) // BLOCK_SLOTS)
        lend_maps(core, flows)
        flows.load()
        return flows, self._load_calls(core, flows)

    def _load_calls(self, core: BpfObject, flows: BpfObject) -> BpfObject:
        """The first of the ways to count calls that this kernel has and allows."""
        for way, without in WAYS:
            try:
                calls = _loaded(way, without, core, flows)
            except KernelError:
                if (way, without) == WAYS[-1]:
                    raise
            else:
                self.way = way
                return self._hold(calls)
        raise RuntimeError("there is no way")

    def _hold(self, resource: Held) -> Held:
        self._held.append(resource)
        return resource

    def _walk(self, flows: BpfObject, name: str, over: BpfMap) -> BpfIterator:
        return self._hold(flows.programs[name].attach_iterator(NOTHING, over))

    def _total(self, name: str) -> int:
        return int(self._totals.copy(1)[name][0])

    @property
    def dropped(self) -> int:
        """How many datagrams are in no flow, because there was no room for another one, or because
        a program that can not run inside itself missed their call."""
        return self._total("dropped") + self._missed

    @property
    def open_flows(self) -> int:
        """How many slots are taken."""
        totals = self._totals.copy(1)[0]
        return int(totals["begun"]) - int(totals["freed"])

    def due_in_s(self) -> float:
        """Seconds until `sweep` has something to do; infinite if there is no flow at all."""
        if not self.open_flows:
            return math.inf
        period_s = PROMPT_S if self._total("closed") != self._closed_swept else SWEEP_S
        return max(0.0, self._swept_s + period_s - time.monotonic())

    def sweep(self) -> None:
        """Ends flows that are idle, and those of sockets that were closed; the ring tells of them.

        A flow is told as idle in the walk after the one that found it so.
        """
        self._swept_s = time.monotonic()
        self._closed_swept = self._total("closed")
        if self.way == "udp_fexit":
            programs = self.objects[1].programs.values()
            self._missed = sum(read_missed_runs(each) for each in programs if each.autoload)
        closed = self.objects[0].maps["closed_sockets"]
        before = list(closed) if self._closed_swept else []
        self._end.read()
        self._tell.read()
        for cookie in before:
            closed.delete(cookie)

    def look(self) -> Rows:
        """The flows that are open now, as rows of kind ``snapshot``."""
        used = np.flatnonzero(self._blocks.copy(self._block_count))
        if not len(used):
            return np.empty(0, ROW)
        top = min((int(used[-1]) + 1) * BLOCK_SLOTS, self._slot_count)
        found, again = self._flows.copy(top), self._flows.copy(top)
        whole = (found["state"] == LIVE) & (found["has_failed"] == 0)
        whole &= (again["state"] == LIVE) & (found["generation"] == again["generation"])
        opaque = np.ascontiguousarray(again["row"][whole])
        rows: Rows = opaque.view(ROW)
        rows["kind"], rows["tier"] = Kind.SNAPSHOT, Tier.BTF
        rows["time_ns"] = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        rows["error"] = rows["failure"] = 0
        guessed = again["has_guesses"][whole] > 0
        rows["exact"][guessed] &= ~np.uint16(Group.TRAFFIC)
        self.name_broadcasts(rows)
        return rows

    def name_broadcasts(self, rows: Rows) -> None:
        """Marks those that go to everybody on a network, see `Broadcasts.mark`."""
        self._broadcasts.mark(rows)

    @property
    def _slot_count(self) -> int:
        return self.objects[0].maps["flows"].max_entries

    @property
    def _block_count(self) -> int:
        return self.objects[0].maps["flow_blocks"].max_entries

    def close(self) -> None:
        """Detaches and unloads everything; a second call does nothing."""
        for resource in reversed(self._held):
            resource.close()
        self._held, self.objects = [], ()
