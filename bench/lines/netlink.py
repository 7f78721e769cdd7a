"""The netlink tier: dumps of many sockets, and news of closes under churn.

The crowd sits in a namespace of its own; ss runs inside of it, because it sees no other.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import time
from collections.abc import Callable

import numpy as np

from bench.result import Result, spread
from bench.rigs.crowd import Crowd
from bench.rigs.network import PrivateNetwork
from connscope.capture.netlink.tier import NetlinkTier
from connscope.config import Config
from connscope.kernel.host.network_namespaces import (
    entered_network_namespace,
    find_network_namespaces,
)
from connscope.kernel.netlink.diag_socket import SocketDump
from connscope.row.columns import ROW
from connscope.row.words import Kind, Protocol

__all__ = ("measure",)

TURNS = 9
CHURN_MS = 2000
SETTLED_S = 0.5
OPEN_STATES = 1 << 1 | 1 << 8  # ESTABLISHED, CLOSE_WAIT: what the crowd has
ASKED = (socket.AF_INET, Protocol.TCP, OPEN_STATES)


def measure() -> tuple[Result, ...]:
    """Sixteen thousand sockets against ss, and ten thousand closes a second or more."""
    with Crowd(processes=2, connections=4000) as crowd:
        dumped = _measure_dump(crowd)
    return dumped, _measure_churn()


def _measure_dump(crowd: Crowd) -> Result:
    inode = int(crowd.run("stat", "-Lc", "%i", "/proc/self/ns/net"))
    raw, parsed, theirs, looks = (list[float]() for _ in range(4))
    with (
        entered_network_namespace(find_network_namespaces()[inode]),
        SocketDump() as dump,
        NetlinkTier(Config()) as tier,
    ):
        for _ in range(TURNS):
            raw.append(_seconds(lambda: dump.read_raw(*ASKED)))
            parsed.append(_seconds(lambda: dump.read(*ASKED)))
            looks.append(_seconds(tier.look))
            theirs.append(_seconds(lambda: crowd.run("ss", "-tin")))
        found = len(dump.read(*ASKED))
    if found < crowd.sockets:
        raise ValueError(f"the dump shows {found} sockets of {crowd.sockets}")
    faster = [slow / fast for slow, fast in zip(theirs, parsed, strict=True)]
    over = [whole / least for whole, least in zip(parsed, raw, strict=True)]
    whole = [slow / fast for slow, fast in zip(theirs, looks, strict=True)]
    ns = [took / found * 1e9 for took in parsed]
    return Result(
        f"netlink dump of {found:,} sockets with TCP_INFO to columns, against ss -tin",
        f"{spread(faster, 1)} times faster, {spread(over)} of reading the raw messages; "
        f"{spread(ns, 0)} ns a socket; a whole look, of all namespaces and with owners, "
        f"{spread(whole, 1)} times faster",
        ">= 2 times faster, <= 1.5 of the raw messages",
        statistics.median(faster) >= 2 and statistics.median(over) <= 1.5,
    )


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _measure_churn() -> Result:
    """The tier is in this process, the traffic in others, on the same CPUs."""
    with PrivateNetwork() as network, NetlinkTier(Config()) as tier:
        began = time.monotonic()
        pairs = os.cpu_count() or 1
        traffic = network.start("churn", "-t", CHURN_MS, "-w", pairs)
        rows, quiet_since = [np.empty(0, ROW)], began
        while traffic.poll() is None or time.monotonic() - quiet_since < SETTLED_S:
            if tier.wait(0.05):
                rows.append(tier.events())
                quiet_since = time.monotonic()
        said = json.loads(traffic.stdout.read() if traffic.stdout else b"{}")
        found = np.concatenate(rows)
        lost = tier.losses().rows
    closed = found[(found["netns"] == network.inode) & (found["kind"] == Kind.CLOSED)]
    seen, wanted = len(np.unique(closed["socket_id"])), 2 * int(said["connections"])
    rate = said["connections"] / (said["elapsed_ns"] / 1e9)
    return Result(
        "news of closes under churn, netlink alone, both ends of each connection",
        f"{seen:,} of {wanted:,} ({seen / wanted:.2%}) at {rate:,.0f} connections/s, {lost:,} "
        "counted as lost",
        "100 %, or each missing one counted",
        seen == wanted or 0 < wanted - seen <= lost,
    )
