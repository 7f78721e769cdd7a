"""Rows of connections as tables get them, and what they cost in memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

from connscope.row.columns import ROW, Rows
from connscope.row.words import Group, Kind, Protocol, State, Tier
from tests.unit.sample_rows import one_row

ALL = sum(Group)
MOST = 60000


def connection(number: int, **columns: Any) -> Rows:
    """A row of an open connection; its id, socket, inode and local port follow from the number."""
    given_columns = {
        "connection_id": number,
        "socket_id": 1000 + number % MOST,
        "socket_inode": 5000 + number % MOST,
        "local_port": number % MOST,
        "peer_port": 80,
        "local_address": "10.0.0.1",
        "peer_address": "10.0.0.2",
        "netns": 1,
        "protocol": Protocol.TCP,
        "family": 4,
        "state": State.ESTABLISHED,
        "tier": Tier.BTF,
        "kind": Kind.SNAPSHOT,
        "known": ALL,
        "exact": ALL,
        "opened_ns": 1,
    }
    return one_row(**(given_columns | columns))


def batch(*rows: Rows) -> Rows:
    """All of them, one after the other."""
    together: Rows = np.concatenate((np.empty(0, ROW), *rows))
    return together


def ids(rows: Rows) -> list[int]:
    """Which connections these are."""
    return [int(number) for number in rows["connection_id"]]


def kinds(rows: Rows) -> list[Kind]:
    """What happened."""
    return [Kind(int(kind)) for kind in rows["kind"]]


def bytes_kept(does: Callable[[], object]) -> int:
    """How much memory is still held when something has been done."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        does()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
