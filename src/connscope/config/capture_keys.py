"""Settings of whatever captures: the tiers and the tracker."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

__all__ = ("CaptureKeys",)


class CaptureKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every setting of this kind, each documented here and nowhere else."""

    tier: Annotated[
        Literal["auto", "btf", "kprobe", "netlink", "procfs"],
        Meta(
            description="The way to capture. `auto`: the best that can be had here. Any other: "
            "that one or none."
        ),
    ] = "auto"
    excluded_kernels: Annotated[
        str,
        Meta(
            pattern="^[^\\x00\\n]*$",
            description="Kernels on which no BPF program may be loaded, by their releases as "
            "`uname -r` says them or the numbers these begin with: `5.4.228, 6.1.0-13-amd64`. "
            "Ubuntu's 4.4.0-119 to 4.4.0-126 always are: they crash (Launchpad 1763454).",
        ),
    ] = ""
    accept_owner: Annotated[
        Literal["auto", "exact", "listener"],
        Meta(
            description="Who owns an accepted connection. `auto`: the task that accept returned "
            "to where fexit may be loaded, else the process that listens, corrected by the process "
            "that closes. `exact`: always the accepting task, at the price of about 90 ns on every "
            "system call of the machine. `listener`: never looks at accept."
        ),
    ] = "auto"
    ring_bytes: Annotated[
        int,
        Meta(
            ge=4096,
            le=1 << 30,
            description="Size of the ring between kernel and user space; a power of two, at least "
            "a page. A row takes 232 bytes.",
        ),
    ] = 8 << 20
    drain_interval_s: Annotated[
        float,
        Meta(
            ge=0.001,
            le=10,
            description="The shortest time between two reads of the ring. The first event after a "
            "quiet time is read at once; while the ring is less than a quarter full `trace` lets "
            "events gather for 0.25 s.",
        ),
    ] = 0.05
    accept_owners_max: Annotated[
        int,
        Meta(
            ge=1,
            le=1 << 24,
            description="How many open accepted connections `accept_owner = exact` remembers the "
            "owner of; what does not fit is counted and has its listener's owner.",
        ),
    ] = 65536
    udp: Annotated[
        bool,
        Meta(
            description="Whether the btf and the kprobe tier count UDP flows. It hooks calls that "
            "send and receive; in btf, where fexit may not be loaded, those of TCP too: see "
            "`connscope doctor` and docs/udp.md for what that costs. Without it none of these "
            "hooks is attached. netlink and procfs hear of flows from conntrack, where a rule "
            "needs it. `-u` of `trace` and `list` is the same for one run.",
        ),
    ] = False
    udp_flows_max: Annotated[
        int,
        Meta(
            ge=256,
            le=1 << 22,
            description="How many UDP flows the kernel counts at a time; 240 bytes each, taken at "
            "once. Datagrams of flows that find no room are counted as lost.",
        ),
    ] = 65536
    udp_idle_s: Annotated[
        float,
        Meta(
            ge=1,
            le=86400,
            description="A UDP flow on which datagrams went one way only ends, as `idle`, when "
            "there was none for so long. It is found within 4 s.",
        ),
    ] = 30.0
    udp_idle_both_s: Annotated[
        float,
        Meta(
            ge=1,
            le=86400,
            description="The same for a UDP flow on which datagrams went both ways.",
        ),
    ] = 120.0
    look_interval_s: Annotated[
        float,
        Meta(
            ge=0.05,
            le=3600,
            description="How often we look at all sockets: what a tier is not told by events has "
            "opened or closed between two looks. Agents look every `report_interval_s` instead.",
        ),
    ] = 1.0
    debug_dir: Annotated[
        str,
        Meta(
            pattern="^/[^\\x00\\n]*$",
            description="A directory of root's, which nobody else may write to. A file `kill-tier` "
            "made there ends the tier that captures, as if it had died; what follows can be "
            "watched. The file is deleted.",
        ),
    ] = "/run/connscope/debug"
    owner_check_interval_s: Annotated[
        float,
        Meta(
            ge=0,
            le=3600,
            description="How often looks compare the owners of sockets with the fd tables of all "
            "processes, which finds sockets that were passed on and processes that are gone. A "
            "socket of which no event told the owner is looked for as soon as it is open for a "
            "tenth of a second. 0: with each look.",
        ),
    ] = 5.0
    netlink_receive_bytes: Annotated[
        int,
        Meta(
            ge=4096,
            le=1 << 30,
            description="How much news of closed connections may wait in the kernel, in each "
            "network namespace, for the netlink tier; what finds no room is counted as lost. A "
            "connection takes about 1,300 bytes, both ends. With `udp` as much again is for "
            "conntrack's, in procfs too. Without CAP_NET_ADMIN in the first "
            "user namespace it is at most net.core.rmem_max.",
        ),
    ] = 4 << 20

    proc_root: Annotated[
        str,
        Meta(
            pattern="^/[^\\x00]*$",
            description="Where the procfs tier finds the proc file system, e.g. `/host/proc` in a "
            "container that has the machine's mounted there.",
        ),
    ] = "/proc"
    procfs_fds_per_tick: Annotated[
        int,
        Meta(
            ge=1,
            le=1 << 20,
            description="How many descriptors of processes the procfs tier reads in a tick at "
            "most. A tick is 1 ms when somebody waits for the look, else see "
            "`procfs_period_min_s`.",
        ),
    ] = 300
    procfs_period_min_s: Annotated[
        float,
        Meta(
            ge=0.001,
            le=60,
            description="The shortest tick of the procfs tier in the background. It begins with "
            "this one; after each pass the tick is made so long that a pass takes "
            "`procfs_target_s`.",
        ),
    ] = 0.05
    procfs_period_max_s: Annotated[
        float,
        Meta(
            ge=0.001,
            le=60,
            description="The longest tick of the procfs tier in the background.",
        ),
    ] = 0.5
    procfs_target_s: Annotated[
        float,
        Meta(
            ge=0.1,
            le=3600,
            description="How long a pass of the procfs tier in the background should take, and the "
            "time from the start of one to that of the next.",
        ),
    ] = 10.0
    procfs_warn_s: Annotated[
        float,
        Meta(
            ge=0.1,
            le=3600,
            description="A pass of the procfs tier that takes longer than this counts as late, and "
            "its rows are said to be old.",
        ),
    ] = 15.0
    closed_rows: Annotated[
        int,
        Meta(
            ge=1,
            le=1 << 24,
            description="How many closed and failed connections wait for the readers that have not "
            "taken them yet; each takes 224 bytes, however many readers there are. What does not "
            "fit is counted for each reader that missed it.",
        ),
    ] = 50000
    when_full: Annotated[
        Literal["evict_empty", "refuse"],
        Meta(
            description="What gives way when `closed_rows` wait. `evict_empty`: the oldest "
            "connections on which not a byte was sent or received, then the oldest. `refuse`: the "
            "new ones."
        ),
    ] = "evict_empty"
    reader_expires_s: Annotated[
        float,
        Meta(
            ge=1,
            le=86400,
            description="A reader of closed connections that has not asked for so long is "
            "forgotten, and nothing is kept for it any more. When it asks again it starts anew.",
        ),
    ] = 120.0

    def __post_init__(self) -> None:
        if self.ring_bytes & (self.ring_bytes - 1):
            raise ValueError(f"ring_bytes is {self.ring_bytes}: it must be a power of two")
        if self.procfs_period_min_s > self.procfs_period_max_s:
            raise ValueError(
                f"procfs_period_min_s is {self.procfs_period_min_s}: it must not be more than "
                f"procfs_period_max_s, {self.procfs_period_max_s}"
            )
