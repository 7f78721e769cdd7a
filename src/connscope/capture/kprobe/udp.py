"""UDP flows of the kprobe tier: probes where calls begin and return, ends found by a filter."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from connscope.capture.kprobe.guess.witness import own_name
from connscope.capture.kprobe.offsets import IN_SOCKET
from connscope.capture.objects import lend_maps, object_path
from connscope.capture.udp_flows import BLOCK_SLOTS, LIVE, NS_PER_S, RETIRED, FlowTable
from connscope.config import Config
from connscope.errors import FailedError, NotSupportedError
from connscope.kernel import BpfObject
from connscope.kernel.host.clock import boottime_ns
from connscope.kernel.kprobes import Kprobes
from connscope.kernel.message_program import MessageProgram
from connscope.kernel.stats import read_missed_runs
from connscope.row.columns import Rows
from connscope.row.words import Protocol, Tier

__all__ = ("ProbedUdpFlows", "find_flags_argument")

CALLS_MAX = 4096
"""So many can sit in a receive."""

PROBES = (
    ("sendmsg4_returns", "udp_sendmsg", CALLS_MAX),
    ("sendmsg4", "udp_sendmsg", 0),
    ("sendmsg6_returns", "udpv6_sendmsg", CALLS_MAX),
    ("sendmsg6", "udpv6_sendmsg", 0),
    ("sendpage_returns", "udp_sendpage", CALLS_MAX),
    ("sendpage", "udp_sendpage", 0),
    ("recvmsg4_returns", "udp_recvmsg", CALLS_MAX),
    ("recvmsg4", "udp_recvmsg", 0),
    ("recvmsg6_returns", "udpv6_recvmsg", CALLS_MAX),
    ("recvmsg6", "udpv6_recvmsg", 0),
    ("hear_error", "sock_def_error_report", 0),
)
"""Program, function, and of how many calls at a time the return is waited for; 0: at the call."""

OPTIONAL = ("udpv6_sendmsg", "udpv6_recvmsg", "udp_sendpage")
"""There is no IPv6, or it is 6.5 or later."""

FIELDS = (
    "saddr", "daddr", "family", "sport", "dport", "netns", "daddr_v6", "saddr_v6", "num", "state",
    "cookie", "error", "shutdown", "uid",
)  # fmt: skip
"""What is read of a UDP socket: a copy ends behind the last of them."""

UDP_SOCKET = np.dtype(
    [
        ("only_peer", np.void, 32),
        ("error", np.uint16),
        ("flows", np.uint8),
        ("is_older", np.uint8),
        ("begun", np.uint32),
    ]
)
"""``struct udp_socket`` of udp_maps.bpf.h."""

SEVERAL = 2
SWEPT_AT_ONCE = 32
"""Slots in a message, as in kprobe_udp_ends.bpf.c."""

SEEN_CALL = np.dtype([("name", np.void, 16), ("fourth", np.uint64), ("fifth", np.uint64)])
"""``struct seen_call`` of kprobe_udp_flags.bpf.c."""

TRIED_FLAGS = (socket.MSG_PEEK | socket.MSG_TRUNC, socket.MSG_PEEK | socket.MSG_WAITALL)
FLAGS = 0xFFFFFFFF & ~socket.MSG_DONTWAIT
"""That one is an argument of its own where there are six."""

ONLY_KEY = bytes(4)


def find_flags_argument(kprobes: Kprobes) -> int:
    """Which argument of the functions that receive has the flags, counted from one.

    This thread receives with flags that it knows; nothing waits there, and it does not either.

    Args:
        kprobes: of this process.

    Raises:
        KernelError: the function may not be probed, or none of those has them.
    """
    places = {4, 5}
    with BpfObject(object_path("kprobe_udp_flags")) as sight, own_name() as name:
        sight.load()
        seen_calls = sight.maps["seen_calls"]
        with (
            kprobes.attach(sight.programs["see_call"], "udp_recvmsg"),
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked,
        ):
            asked.setblocking(False)
            for flags in TRIED_FLAGS:
                wanted = np.zeros(1, SEEN_CALL)
                wanted["name"] = np.void(name.ljust(16, b"\0"))
                seen_calls.set(ONLY_KEY, wanted)
                with suppress(OSError):
                    asked.recv(1, flags)
                seen = np.frombuffer(seen_calls.get(ONLY_KEY) or b"", SEEN_CALL)[0]
                fourth, fifth = (int(seen[each]) & FLAGS for each in ("fourth", "fifth"))
                places &= {place for place, was in ((4, fourth), (5, fifth)) if was == flags}
    if not places:
        raise FailedError("UDP flows", "no argument of udp_recvmsg has the flags of a call")
    return min(places)  # where there are four arguments, the fifth register may have anything


class ProbedUdpFlows(FlowTable):
    """Counts flows by probes; the core's ring tells of their beginnings and ends.

    Args:
        core: loaded; its ring and losses are used.
        knobs: of the core: where the fields are.
        cgroup: the root of cgroup2.
        config: `udp_flows_max`, `udp_idle_s`, `udp_idle_both_s`.
        look: shows all sockets that there are.

    Raises:
        KernelError: not supported, not permitted or failed.
    """

    tier = Tier.KPROBE

    def __init__(
        self,
        core: BpfObject,
        knobs: dict[str, int],
        cgroup: Path,
        config: Config,
        look: Callable[[], Rows],
    ) -> None:
        super().__init__()
        self.way = "kprobe_udp"
        self._shortest_ns = round(min(config.udp_idle_s, config.udp_idle_both_s) * NS_PER_S)
        try:
            self._ends = ends = self._load_ends(core, config)
            self._map_memory(ends)
            self._offer_slots(config.udp_flows_max)
            self._sweep = self._hold(MessageProgram(ends.programs["sweep"]))
            self._hold(ends.programs["release_socket"].attach_cgroup(cgroup))
            self._kprobes = self._hold(Kprobes())  # its own, so that what it misses is told apart
            self._calls = self._load_calls(core, knobs)
            self._attach()
            self._mark_older(look())
        except BaseException:
            self.close()
            raise

    def _load_ends(self, core: BpfObject, config: Config) -> BpfObject:
        ends = self._hold(BpfObject(object_path("kprobe_udp_ends")))
        self._size(ends, config)
        lend_maps(core, ends)
        return ends.load()

    def _load_calls(self, core: BpfObject, knobs: dict[str, int]) -> BpfObject:
        calls = self._hold(BpfObject(object_path(self.way)))
        calls.set(**knobs | _knobs_of_udp(knobs, find_flags_argument(self._kprobes)))
        for lender in (core, self._ends):
            lend_maps(lender, calls)
        return calls.load()

    def _offer_slots(self, slots: int) -> None:
        with MessageProgram(self._ends.programs["offer_slots"]) as offer:
            for first in range((slots - 1) // BLOCK_SLOTS * BLOCK_SLOTS, -1, -BLOCK_SLOTS):
                offer.run(np.uint32(first).tobytes())

    def _attach(self) -> None:
        for name, function, returns in PROBES:
            try:
                program = self._calls.programs[name]
                self._hold(self._kprobes.attach(program, function, returns=returns))
            except NotSupportedError:
                if function not in OPTIONAL:
                    raise

    def _mark_older(self, sockets: Rows) -> None:
        """Says which sockets were there before us: what they sent then nobody has counted.

        Where there are more than can be remembered, each socket is taken for an older one.
        """
        known = self._ends.maps["udp_sockets"]
        cookies = np.unique(sockets["socket_id"][sockets["protocol"] == Protocol.UDP])
        if len(cookies) >= known.max_entries:
            return
        marks = np.zeros(len(cookies), UDP_SOCKET)
        # Some may have begun a flow already, which this writes over: none is called the only one.
        marks["is_older"], marks["flows"] = 1, SEVERAL
        known.write(cookies, marks)
        self._ends.maps["older_are_marked"].set(ONLY_KEY, np.uint32(1))

    def _count_missed(self) -> int:
        runs = sum(read_missed_runs(each) for each in self._calls.programs.values())
        return self._kprobes.missed() + runs

    def _end_flows(self, closed: list[bytes]) -> None:
        top = self._top()
        states = self._flows.column(top, "state")
        last = self._flows.column(top, "last_clock").astype(np.int64)
        due = (states == RETIRED) | (states == LIVE) & (boottime_ns() - last >= self._shortest_ns)
        if closed:
            ids = self._flows.column(top, "row", "socket_id")
            due |= (states == LIVE) & np.isin(ids, np.frombuffer(b"".join(closed), np.uint64))
        slots = np.flatnonzero(due).astype(np.uint32)
        for at in range(0, len(slots), SWEPT_AT_ONCE):
            self._sweep.run(slots[at : at + SWEPT_AT_ONCE].tobytes())


def _knobs_of_udp(knobs: dict[str, int], flags_argument: int) -> dict[str, int]:
    ends = [knobs[f"at_{name}"] + IN_SOCKET[name] for name in FIELDS if f"at_{name}" in knobs]
    return {"socket_bytes": -(-max(ends) // 8) * 8, "flags_argument": flags_argument}
