"""A tracker that is driven by a test, all that it told, and what it has in the kernel."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tests.kernel.recorder import PATIENCE_S, describe

from connscope.capture.ladder import open_tested
from connscope.capture.tier import CaptureTier
from connscope.config import Config
from connscope.errors import FailedError, KernelError
from connscope.kernel.resource import Resource
from connscope.row.columns import ROW, Rows
from connscope.row.words import Kind, Protocol, State, Tier, word
from connscope.tracker.tracker import Tracker

STEP_S = 0.05
LIVES = (Kind.OPENED, Kind.CLOSED, Kind.FAILED)


class Tracked(Resource):
    """A tracker, open, and everything that it told.

    Args:
        config: as usual.
        open_tier: in place of the machine's; None: that.

    Attributes:
        told: all rows, in their order.
        refused: tiers that can not be had at the moment.
        before_opening: called before a tier is opened.
        ahead_s: the tracker's clock is so much ahead of the machine's.
    """

    def __init__(
        self, config: Config, open_tier: Callable[[Tier], tuple[CaptureTier, Rows]] | None = None
    ) -> None:
        self._config, self._open = config, open_tier
        self.refused, self.ahead_s = set[Tier](), 0.0
        self.before_opening: Callable[[], object] = bool
        self.tracker = Tracker(
            config, open_tier=self._open_tier, monotonic=lambda: time.monotonic() + self.ahead_s
        )
        self.told: Rows = np.empty(0, ROW)
        try:
            self.told = self.tracker.open()
        except BaseException:
            self.tracker.close()
            raise

    def _open_tier(self, tier: Tier) -> tuple[CaptureTier, Rows]:
        self.before_opening()
        if tier in self.refused:
            raise FailedError(word(tier), "refused by the test")
        return self._open(tier) if self._open else open_tested(tier, self._config)

    def step(self, timeout_s: float = STEP_S) -> None:
        """One round: waits, and takes in what came."""
        self.tracker.wait(timeout_s)
        self.told = np.concatenate((self.told, self.tracker.advance()))

    def until(self, condition: Callable[[], object]) -> None:
        """Goes on until it is so."""
        end = time.monotonic() + PATIENCE_S
        while not condition():
            changes = [str(change) for change in self.tracker.changes]
            assert time.monotonic() < end, "\n".join([*changes, describe(self.told[-20:])])
            self.step()

    def settle(self) -> None:
        """Goes on until whatever is missing would have been told: three looks later."""
        for _ in range(3):
            self.look()

    def look(self) -> None:
        """Goes on until the next look was taken, which is due now."""
        self.ahead_s += self._config.look_interval_s
        self.step(0)

    @property
    def tier(self) -> Tier | None:
        """The one that captures now."""
        current = self.tracker.tier
        return current.tier if current else None

    def kill(self) -> None:
        """Ends the tier by the debug switch."""
        Path(self._config.debug_dir, "kill-tier").touch()
        self.step(0)

    def kill_twice(self) -> None:
        """Ends it so that the next worse one follows."""
        self.kill()
        self.kill()

    def table(self, port: int) -> Rows:
        """The open connections with that port at either end, ordered by id."""
        rows = connections(of_port(self.tracker.table.rows(), port))
        return rows[np.argsort(rows["connection_id"])]

    def news(self, port: int, *kinds: Kind) -> Rows:
        """What was told of connections with that port at either end."""
        rows = of_port(self.told, port)
        found: Rows = rows[np.isin(rows["kind"], kinds or LIVES)]
        return found

    def close(self) -> None:
        """Stops."""
        self.tracker.stop()


def of_port(rows: Rows, port: int) -> Rows:
    """Rows of TCP with that port at either end."""
    found: Rows = rows[
        ((rows["local_port"] == port) | (rows["peer_port"] == port))
        & (rows["protocol"] == Protocol.TCP)
    ]
    return found


def connections(rows: Rows) -> Rows:
    """Without listeners."""
    found: Rows = rows[rows["state"] != State.LISTEN]
    return found


def ends(rows: Rows) -> list[tuple[int, int]]:
    """Local and peer port of each row, sorted."""
    return sorted(zip(rows["local_port"].tolist(), rows["peer_port"].tolist(), strict=True))


def repeated(rows: Rows) -> dict[tuple[int, int], int]:
    """Connections and kinds that were told more than once, and how often."""
    count = Counter(zip(rows["connection_id"].tolist(), rows["kind"].tolist(), strict=True))
    return {what: times for what, times in count.items() if times > 1}


def kernel_ends(port: int) -> list[tuple[int, int]]:
    """The same of what ``ss -tan`` shows of connections that are sockets."""
    states = ("established", "close-wait", "fin-wait-1", "last-ack", "closing", "fin-wait-2")
    command = ["ss", "-tanH", *(word for state in states for word in ("state", state))]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    pairs = (line.split()[3:5] for line in shown.splitlines())
    found = [tuple(int(end.rpartition(":")[2]) for end in pair) for pair in pairs]
    return sorted((local, peer) for local, peer in found if port in (local, peer))


class Holdings(NamedTuple):
    """What a process has: descriptors as they read, threads, and ids of the kernel's BPF parts."""

    fds: Counter[str]
    threads: int
    bpf: frozenset[tuple[str, int]]


BPF_KINDS = {"prog_id": "prog", "map_id": "map", "link_id": "link"}


def holdings(pid: int | None = None) -> Holdings:
    """Of a process; None: of this one."""
    process = Path("/proc", str(pid or os.getpid()))
    fds, bpf = Counter[str](), set[tuple[str, int]]()
    for fd in list((process / "fd").iterdir()):
        try:
            name = str(fd.readlink())
            lines = (process / "fdinfo" / fd.name).read_text().splitlines()
        except FileNotFoundError:
            continue  # that of the listing itself
        # A socket has a number of its own each time.
        fds[name.partition(":")[0] if name.startswith("socket:") else name] += 1
        for key, _, value in (line.partition(":") for line in lines):
            if key in BPF_KINDS:
                bpf.add((BPF_KINDS[key], int(value)))
    return Holdings(fds, len(list((process / "task").iterdir())), frozenset(bpf))


def netlink_sockets(protocol: int, pids: set[int]) -> int:
    """How many netlink sockets of a protocol those processes have."""
    lines = Path("/proc/net/netlink").read_text().splitlines()[1:]
    ours = {inode for pid in pids for inode in _socket_inodes(pid)}
    return sum(int(line.split()[1]) == protocol and line.split()[9] in ours for line in lines)


def _socket_inodes(pid: int) -> set[str]:
    names = [
        str(fd.readlink()) for fd in Path("/proc", str(pid), "fd").iterdir() if fd.is_symlink()
    ]
    return {name[len("socket:[") : -1] for name in names if name.startswith("socket:[")}


def in_kernel(bpf: frozenset[tuple[str, int]]) -> set[tuple[str, int]]:
    """Which of those the kernel still has, whoever holds them."""
    found = set[tuple[str, int]]()
    for kind in sorted({kind for kind, _ in bpf}):
        shown = subprocess.run(
            ["bpftool", "-j", kind, "show"], check=True, capture_output=True, text=True
        ).stdout
        listed: list[dict[str, Any]] = json.loads(shown or "[]")
        found |= {(kind, int(part["id"])) for part in listed} & bpf
    return found


def until_gone(bpf: frozenset[tuple[str, int]]) -> None:
    """Waits until the kernel has freed them all, which it does a grace period after the last hold
    is given up."""
    end = time.monotonic() + PATIENCE_S
    while left := in_kernel(bpf):
        assert time.monotonic() < end, f"still in the kernel: {left}"


def thread_names() -> set[str]:
    """Of the Python threads that run."""
    return {thread.name for thread in threading.enumerate()}


__all__ = (
    "Holdings",
    "KernelError",
    "Tracked",
    "connections",
    "ends",
    "holdings",
    "in_kernel",
    "kernel_ends",
    "netlink_sockets",
    "of_port",
    "repeated",
    "thread_names",
    "until_gone",
)
