"""UDP flows of the btf tier: calls counted by fexit or by tracepoints, ends found by iterators."""

from __future__ import annotations

import numpy as np

from connscope.capture.objects import lend_maps, object_path
from connscope.capture.udp_flows import FlowTable
from connscope.config import Config
from connscope.errors import KernelError, NotSupportedError
from connscope.kernel import BpfIterator, BpfMap, BpfObject
from connscope.kernel.host.mounts import find_cgroup2
from connscope.kernel.stats import read_missed_runs
from connscope.row.words import Tier

__all__ = ("UdpFlows",)

NOTHING = np.dtype(np.uint64)  # of iterators that write no records

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


class UdpFlows(FlowTable):
    """Counts flows in the kernel's memory; the core's ring tells of their beginnings and ends.

    Args:
        core: loaded; its ring and losses are used.
        config: `udp_flows_max`, `udp_idle_s`, `udp_idle_both_s`.

    Raises:
        KernelError: not supported, not permitted or failed.

    Attributes:
        objects: what is loaded.
        way: of `WAYS`.
    """

    tier = Tier.BTF

    def __init__(self, core: BpfObject, config: Config) -> None:
        super().__init__()
        self.objects: tuple[BpfObject, ...] = ()
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
        self._map_memory(flows)
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
        self._size(flows, config)
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

    def _walk(self, flows: BpfObject, name: str, over: BpfMap) -> BpfIterator:
        return self._hold(flows.programs[name].attach_iterator(NOTHING, over))

    def _count_missed(self) -> int:
        if self.way != "udp_fexit":
            return 0
        programs = self.objects[1].programs.values()
        return sum(read_missed_runs(each) for each in programs if each.autoload)

    def _end_flows(self, closed: list[bytes]) -> None:
        self._end.read()
        self._tell.read()

    def close(self) -> None:
        """Detaches and unloads everything; a second call does nothing."""
        super().close()
        self.objects = ()
