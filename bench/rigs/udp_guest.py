"""In a guest: the same loops with each way to count UDP flows; a line of JSON for each run.

python -m bench.rigs.udp_guest FILE
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

from bench.rigs.findings import telling
from bench.rigs.network import PrivateNetwork
from connscope.capture.btf import udp
from connscope.capture.btf.tier import BtfTier
from connscope.capture.kprobe.tier import KprobeTier
from connscope.config import Config

__all__ = ("FEXIT", "KPROBE", "RUNS", "TRACEPOINTS", "TURNS", "WAYS", "main")

OFF, FEXIT, TRACEPOINTS, KPROBE = "off", "udp_fexit", "udp_calls", "kprobe_udp"
KPROBE_OFF = "kprobe, off"
WAYS = {FEXIT: OFF, TRACEPOINTS: OFF, KPROBE: KPROBE_OFF}
"""Each way, and what it is compared with: the same tier without UDP."""

RUNS = (OFF, KPROBE_OFF, *WAYS)
TURNS = 7
PARTS, ROUNDS, BYTES = 200, 25, 64
LOOPS = {
    "tcp": ("tcp",),
    "connected": ("connected",),
    "named": ("udp",),
    "connected, two": ("connected", "echo"),
    "named, two": ("udp", "echo"),
}
"""Arguments of tests/traffic/ping.c."""


def main() -> None:
    """Measures all of it; each run is made in each place of a turn as often."""
    with telling(Path(sys.argv[1])) as tell, PrivateNetwork() as network:
        _run(network, OFF)  # compiles, and warms up
        for turn in range(TURNS):
            for place in range(len(RUNS)):
                run = RUNS[(turn + place) % len(RUNS)]
                tell("run", turn=turn, run=run, **_run(network, run))


def _run(network: PrivateNetwork, run: str) -> dict[str, float]:
    """Nanoseconds of a round of each loop while a tier captures so."""
    config = Config(udp=run in WAYS)
    with ExitStack() as stack:
        if run in (KPROBE, KPROBE_OFF):
            way = stack.enter_context(KprobeTier(config)).udp_way
        else:
            every, udp.WAYS = udp.WAYS, tuple(way for way in udp.WAYS if way[0] == run)
            stack.callback(setattr, udp, "WAYS", every)
            way = stack.enter_context(BtfTier(config)).udp_way
        if way != (run if run in WAYS else ""):
            raise RuntimeError(f"{run} is not to be had: {way or 'no UDP flows'}")
        return {
            name: float(network.run("ping", kind, PARTS, ROUNDS, BYTES, *echo)["ns_per_round"])
            for name, (kind, *echo) in LOOPS.items()
        }


if __name__ == "__main__":
    main()
