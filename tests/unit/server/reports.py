"""Reports for tests: hosts with connections that are made by hand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from connscope.report.report import NO_IDS, Look, Name, Report, make_report
from connscope.row.columns import ROW, Rows
from connscope.row.words import Failure, Group, Kind, Protocol, Role, State, Tier
from connscope.server.live import Live
from tests.unit.sample_rows import one_row

BOOT = "00000000-0000-4000-8000-000000000000"
NETNS = 4026531840
NOW_NS = 10**13
WALL_NS = 10**18
SECOND_NS = 10**9
ALL = sum(Group)
WITHOUT_ISN = ALL & ~Group.JOIN.value


class Machine:
    """A host that reports what it is told to have open."""

    def __init__(self, host_id: str = "alpha", name: str = "") -> None:
        self.id = host_id
        self.name = name or host_id
        self.sequence = 0
        self.boot = BOOT

    def report(
        self,
        *rows: Rows,
        ended: Iterable[Rows] = (),
        gone: Iterable[int] = (),
        full: bool | None = None,
        **look: Any,
    ) -> Report:
        """The next report; the first one is full."""
        base = None if (self.sequence == 0 if full is None else full) else self.sequence
        self.sequence += 1
        ids = np.array(list(gone), np.uint64) if gone else NO_IDS
        names: tuple[Name, ...] = look.pop("names", ())
        return make_report(
            self.look(**look), self.sequence, base, joined(rows), joined(ended), ids, names
        )

    def look(self, **changed: Any) -> Look:
        """Who looked and when."""
        told: dict[str, Any] = {
            "host_id": self.id,
            "host_name": self.name,
            "boot_id": self.boot,
            "session_ns": 1,
            "time_ns": NOW_NS + self.sequence * SECOND_NS,
            "wall_minus_boottime_ns": WALL_NS,
            "interval_ns": SECOND_NS,
            "tier": Tier.BTF,
        }
        return Look(**told | changed)


def joined(rows: Iterable[Rows]) -> Rows:
    """All rows in one batch."""
    batches = list(rows)
    return np.concatenate(batches) if batches else np.empty(0, ROW)


def client(number: int = 1, **columns: Any) -> Rows:
    """The client's end of a connection, an hour old."""
    default: dict[str, Any] = {
        "connection_id": number,
        "socket_id": number,
        "known": ALL,
        "exact": ALL,
        "kind": Kind.SNAPSHOT,
        "state": State.ESTABLISHED,
        "protocol": Protocol.TCP,
        "family": 4,
        "role": Role.CLIENT,
        "netns": NETNS,
        "pid": 100,
        "process_start_ns": 5,
        "comm": b"curl",
        "uid": 1000,
        "local_address": "10.0.0.1",
        "local_port": 40000 + number,
        "peer_address": "10.0.0.2",
        "peer_port": 443,
        "isn_local": 1000 + number,
        "isn_peer": 2000 + number,
        "opened_ns": NOW_NS - 3600 * SECOND_NS,
        "rtt_us": 200,
    }
    return one_row(**default | columns)


def server(of: Rows, **columns: Any) -> Rows:
    """The other end of a connection."""
    rows = of.copy()
    for mine, theirs in (
        ("local_address", "peer_address"),
        ("local_port", "peer_port"),
        ("isn_local", "isn_peer"),
        ("bytes_sent", "bytes_received"),
    ):
        rows[mine], rows[theirs] = of[theirs], of[mine]
    rows["role"] = np.where(of["role"] == Role.CLIENT, Role.SERVER, of["role"])
    rows["connection_id"] = of["connection_id"] + np.uint64(1 << 20)
    rows["pid"], rows["comm"] = 200, np.void(b"nginx".ljust(16, b"\0"))
    for name, value in columns.items():
        rows[name] = value
    return rows


def closed(of: Rows, **columns: Any) -> Rows:
    """The row that tells the end of a connection."""
    rows = of.copy()
    rows["kind"], rows["state"] = Kind.CLOSED, State.CLOSE
    for name, value in columns.items():
        rows[name] = value
    return rows


def refused(number: int = 900, **columns: Any) -> Rows:
    """A connect that did not succeed."""
    return client(
        number,
        **{
            "kind": Kind.FAILED,
            "state": State.CLOSE,
            "failure": Failure.REFUSED,
            "opened_ns": NOW_NS,
        }
        | columns,
    )


def listener(number: int = 800, **columns: Any) -> Rows:
    """A listening socket."""
    return client(
        number,
        **{
            "kind": Kind.LISTENING,
            "state": State.LISTEN,
            "role": Role.SERVER,
            "local_address": "0.0.0.0",
            "local_port": 443,
            "peer_address": "0.0.0.0",
            "peer_port": 0,
            "pid": 200,
            "comm": b"nginx",
            "queue_limit": 128,
        }
        | columns,
    )


def live() -> Live:
    """A server's knowledge, empty."""
    return Live(window_s=15, hosts_max=100, forget_s=300)


def told(*reports: Report, at_s: float = 100.0) -> Live:
    """What is known after some reports."""
    known = live()
    for report in reports:
        known.take(report, at_s, WALL_NS)
    return known
