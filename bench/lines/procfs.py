"""Looks of the procfs tier against psutil, with many processes that hold many descriptors.

The herd sits in a namespace of its own, and psutil runs inside of it, because it sees no other. It
reads all descriptors each time. So does our first look; a later one reads those again that led to
sockets.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

from bench.result import Result, spread
from bench.rigs.network import PrivateNetwork
from connscope.capture.procfs.tier import FOREGROUND_TICK_S, ProcfsTier
from connscope.config import Config

__all__ = ("measure",)

TURNS = 9
PROCESSES, FDS, SOCKETS = 1000, 100, 10
WANTED = 5
# Without the start of Python, and the import.
PSUTIL = """
import psutil, time
began = time.perf_counter()
found = psutil.net_connections()
print(time.perf_counter() - began, len(found))
"""


def measure() -> tuple[Result, ...]:
    """First looks and later ones in turns with psutil, and the rate of all of them."""
    first_s, later_s, psutil_s, rates = (list[float]() for _ in range(4))
    with PrivateNetwork() as network:
        herd = network.start("herd", PROCESSES, FDS, SOCKETS, stdin=subprocess.PIPE)
        try:
            said = json.loads(herd.stdout.readline() if herd.stdout else b"")
            for _ in range(TURNS):
                psutil_s.append(_psutil_s(network, said["sockets"]))
                with ProcfsTier(Config()) as tier:
                    first_s.append(_look_s(tier, network, said["sockets"], rates))
                    later_s.append(_look_s(tier, network, said["sockets"], rates))
        finally:
            herd.communicate()
    first, later = (
        [slow / fast for slow, fast in zip(psutil_s, ours, strict=True)]
        for ours in (first_s, later_s)
    )
    allowed = Config().procfs_fds_per_tick / FOREGROUND_TICK_S
    return (
        Result(
            f"procfs look, {PROCESSES:,} processes of {FDS} descriptors, {SOCKETS} of them sockets,"
            " against psutil.net_connections()",
            f"{spread(later, 1)} times faster, {spread(later_s)} s against {spread(psutil_s)} s; "
            f"the first look, which reads all descriptors, {spread(first, 1)} times, "
            f"{spread(first_s)} s",
            f">= {WANTED} times",
            statistics.median(later) >= WANTED,
        ),
        Result(
            "the same: descriptors read in a second",
            f"{max(rates):,.0f} at most",
            f"<= {allowed:,.0f}, the stated rate",
            max(rates) <= allowed,
        ),
    )


def _look_s(tier: ProcfsTier, network: PrivateNetwork, sockets: int, rates: list[float]) -> float:
    began = time.perf_counter()
    rows = tier.look()
    took_s = time.perf_counter() - began
    seen = rows[rows["netns"] == network.inode]
    if len(seen) != sockets or not seen["pid"].all():
        raise RuntimeError(f"{len(seen)} of {sockets} sockets, some may have no owner")
    rates.append(tier.last.fds / took_s)
    return took_s


def _psutil_s(network: PrivateNetwork, sockets: int) -> float:
    took_s, found = network.call(sys.executable, "-c", PSUTIL).split()
    if int(found) != sockets:
        raise RuntimeError(f"psutil shows {found} of {sockets} sockets")
    return float(took_s)
