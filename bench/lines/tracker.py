"""The tracker: events and looks onto a full table, an idle machine, and fifty containers.

The containers run for a minute in turn with each tier; CONTAINERS_S=600 is the experiment with
which Weave Scope's authors showed what BPF saves, at its full length.
"""

from __future__ import annotations

import os
import statistics
import time

import numpy as np

from bench.result import Result, spread
from bench.rigs.containers import Containers
from bench.rigs.crowd import Crowd
from bench.rigs.machine import memory_kib
from bench.rigs.tracker_process import Cost, start_tracker, take_cost
from connscope.config import Config
from connscope.row.columns import ROW, Rows
from connscope.row.words import Group, Kind, Protocol, State, Tier
from connscope.table.connections import ConnectionTable
from connscope.tracker.tracker import Tracker

__all__ = ("measure",)

OPEN = 100_000
BATCH = 1000
TURNS = 5
IDLE_S = 30.0
CONTAINERS_S = float(os.environ.get("CONTAINERS_S", "60"))
LOOK_S, SCOPE_LOOK_S = 1.0, 10.0
ALL = sum(Group)


def measure() -> tuple[Result, ...]:
    """Memory first, then the real kernel."""
    return _measure_events(), _measure_flood(), _measure_tick(), _measure_idle(), *_containers()


def _rows(first: int, count: int, kind: Kind) -> Rows:
    rows = np.zeros(count, ROW)
    ids = np.arange(first, first + count, dtype=np.uint64)
    for column in ("connection_id", "socket_id"):
        rows[column] = ids
    rows["local_port"], rows["peer_port"], rows["netns"] = ids & 0xFFFF, 80, 1
    rows["local_address"][:, 8:] = (ids >> np.uint64(16)).view(np.uint8).reshape(-1, 8)
    rows["kind"], rows["tier"], rows["protocol"] = kind, Tier.BTF, Protocol.TCP
    rows["known"] = rows["exact"] = ALL
    rows["opened_ns"] = rows["time_ns"] = 1
    rows["state"] = State.CLOSE if kind == Kind.CLOSED else State.ESTABLISHED
    return rows


def _full_table() -> ConnectionTable:
    table = ConnectionTable()
    table.begin_look(0)
    table.take_look(_rows(1, OPEN, Kind.SNAPSHOT))
    table.settle(1, 2)
    return table


def _apply(table: ConnectionTable, first: int, batches: int) -> tuple[int, float]:
    """Half of each batch opens, the other half closes what the last one opened; rows told and
    seconds."""
    told, took_s, half = 0, 0.0, BATCH // 2
    for number in range(batches):
        at = first + number * half
        batch = np.concatenate((_rows(at - half, half, Kind.CLOSED), _rows(at, half, Kind.OPENED)))
        began = time.perf_counter()
        told += len(table.apply(batch))
        took_s += time.perf_counter() - began
    return told, took_s


def _measure_events() -> Result:
    table, took_us, at = _full_table(), list[float](), 10 * OPEN
    _apply(table, at, 1)
    for _ in range(TURNS):
        at += BATCH // 2
        _, took_s = _apply(table, at, 200)
        took_us.append(took_s / (200 * BATCH) * 1e6)
        at += 199 * BATCH // 2
    return Result(
        f"{TURNS * 200 * BATCH:,} events in batches of {BATCH:,} onto {OPEN:,} open connections",
        f"{spread(took_us)} µs an event",
        "< 1 µs an event",
        statistics.median(took_us) < 1,
    )


def _measure_flood() -> Result:
    """Twenty million connections; a look every million, as a second of that would bring one."""
    table, kib, told, at = ConnectionTable(), list[int](), 0, BATCH
    for second in range(20):
        found, _ = _apply(table, at, 2_000_000 // BATCH)
        told += found
        at += 1_000_000
        kib.append(memory_kib(os.getpid(), "status", "RssAnon"))
        table.begin_look(second * 1_000_000_000)
    # What is remembered of ends comes and goes by generations, so peaks are compared.
    grown = max(kib[10:]) / max(kib[:10])
    return Result(
        f"{told // 2:,} connections replayed as fast as it goes",
        f"the most memory of the second half {grown:.2f} of that of the first",
        "flat (within 1.05)",
        grown < 1.05,
    )


def _measure_tick() -> Result:
    with Crowd(processes=7, connections=7150) as crowd, Tracker(Config(look_interval_s=0.05)) as it:
        it.open()
        took_ms = list[float]()
        for _ in range(TURNS + 4):
            it.wait(1)
            began = time.perf_counter()
            it.advance()
            took_ms.append((time.perf_counter() - began) * 1e3)
        sockets = crowd.sockets
    return Result(
        f"a tick (drain, look, reconcile) with {sockets:,} open sockets",
        f"{spread(took_ms, 0)} ms",
        "< 150 ms",
        statistics.median(took_ms) < 150,
    )


def _measure_idle() -> Result:
    with Crowd(processes=1, connections=250) as crowd:
        cost = take_cost(start_tracker("btf", LOOK_S, IDLE_S))
        sockets = crowd.sockets
    return Result(
        f"idle machine, {sockets} open sockets, a look each second",
        f"{cost.share:.2%} of a core, PSS {cost.pss_kib / 1024:.0f} MiB",
        "< 0.3 % of a core, < 50 MB",
        cost.share < 0.003 and cost.pss_kib * 1024 < 50e6,
    )


def _containers() -> tuple[Result, ...]:
    costs = dict[str, Cost]()
    with Containers(50, 10, 2.0):
        for name, tier, look_s in (
            ("btf", "btf", LOOK_S),
            ("procfs", "procfs", LOOK_S),
            ("as Scope", "procfs", SCOPE_LOOK_S),
        ):
            costs[name] = take_cost(start_tracker(tier, look_s, CONTAINERS_S))
    less = costs["procfs"].share / costs["btf"].share
    less_than_scope = costs["as Scope"].share / costs["btf"].share
    return (
        Result(
            "50 namespaces × 10 connections, one replaced every 2 s: CPU of the tracker, "
            f"{CONTAINERS_S:.0f} s with each tier",
            f"btf {costs['btf'].share:.2%} of a core, procfs {costs['procfs'].share:.2%} at the "
            f"same cadence of {LOOK_S:.0f} s: {less:.1f} times less; procfs at Scope's cadence of "
            f"{SCOPE_LOOK_S:.0f} s {costs['as Scope'].share:.2%} ({less_than_scope:.1f} times)",
            "btf at least 10 times less than procfs at the same cadence",
            less >= 10,
        ),
    )
