"""A filter of five terms over the rows of a busy machine, against a loop over dictionaries.

The loop is the best that a tool can do that keeps an object for each connection: the same five
conditions, written by hand, cheapest first, over rows that are dictionaries of Python values
already; making those is not counted. Both take turns, and both must find the same rows.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any

import numpy as np

from bench.result import Result, spread
from connscope.filter import parse
from connscope.row.address import address_text
from connscope.row.columns import ROW, Rows
from connscope.row.words import Group, Kind, State

__all__ = ("measure",)

ROWS = 100_000
TURNS = 15
NOW_NS = 10**13
FILTER = "port:443,5432 tx>1MB -rtt>20ms remote.ip:10.0.0.0/9 proc:worker"
WORD = "10.12"
PROCESSES = 150
NETWORK = ip_network("10.0.0.0/9")


def measure() -> tuple[Result, ...]:
    """Milliseconds for all rows, both ways; and of one plain word."""
    rows = _busy_machine()
    objects = [_as_dictionary(row) for row in rows]
    wanted, word = parse(FILTER), parse(WORD)
    mask_ms, loop_ms, word_ms = list[float](), list[float](), list[float]()
    for _ in range(TURNS):
        mask_ms.append(_milliseconds(lambda: wanted.mask(rows, now_ns=NOW_NS)))
        loop_ms.append(_milliseconds(lambda: list(map(_passes, objects))))
        word_ms.append(_milliseconds(lambda: word.mask(rows, now_ns=NOW_NS)))
    if wanted.mask(rows, now_ns=NOW_NS).tolist() != list(map(_passes, objects)):
        raise ValueError("the filter and the loop found different rows")
    ratios = [slow / fast for slow, fast in zip(loop_ms, mask_ms, strict=True)]
    return (
        Result(
            f"filter of five terms over {ROWS:,} rows, against a loop over dictionaries that is "
            "written by hand for these five",
            f"{spread(ratios, 1)} times; {spread(mask_ms, 1)} ms against {spread(loop_ms, 0)} ms",
            ">= 2 times, < 10 ms",
            statistics.median(ratios) >= 2 and statistics.median(mask_ms) < 10,
        ),
        Result(
            f"the same rows, one plain word (`{WORD}` in any text, port or address)",
            f"{spread(word_ms, 0)} ms",
            "< 100 ms",
            statistics.median(word_ms) < 100,
        ),
    )


def _busy_machine() -> Rows:
    random = np.random.default_rng(4040)
    rows = np.zeros(ROWS, ROW)
    rows["known"], rows["state"], rows["kind"] = sum(Group), State.CLOSE.value, Kind.CLOSED.value
    processes = random.integers(0, PROCESSES, ROWS)
    comms = [f"{'worker' if number % 2 else 'nginx'}-{number}" for number in range(PROCESSES)]
    rows["comm"] = np.array(comms, "S16")[processes].view("V16")
    rows["pid"] = processes + 1000
    for name in ("local_address", "peer_address"):
        rows[name][:, 10:12] = 0xFF
        rows[name][:, 12] = 10
    rows["local_address"][:, 15] = random.integers(1, 5, ROWS)
    rows["peer_address"][:, 13:] = random.integers(0, (20, 4, 256), (ROWS, 3)) * (12, 1, 1)
    rows["local_port"] = random.integers(32768, 60999, ROWS)
    rows["peer_port"] = random.choice([80, 443, 5432, 6379], ROWS)
    rows["bytes_sent"] = random.integers(0, 4 << 20, ROWS)
    rows["rtt_us"] = random.integers(0, 40_000, ROWS)
    return rows


def _as_dictionary(row: Any) -> dict[str, Any]:
    return {
        "pid": int(row["pid"]),
        "comm": row["comm"].tobytes().rstrip(b"\0").decode(),
        "local_port": int(row["local_port"]),
        "peer_port": int(row["peer_port"]),
        "peer_address": ip_address(address_text(row["peer_address"].tobytes())),
        "bytes_sent": int(row["bytes_sent"]),
        "rtt_us": int(row["rtt_us"]),
    }


def _passes(row: dict[str, Any]) -> bool:
    return (
        (row["peer_port"] in (443, 5432) or row["local_port"] in (443, 5432))
        and row["bytes_sent"] > 1_000_000
        and not row["rtt_us"] > 20_000
        and "worker" in row["comm"]
        and row["peer_address"] in NETWORK
    )


def _milliseconds(work: Callable[[], object]) -> float:
    """Of our CPU: what others do on the machine meanwhile is not counted."""
    begin = time.thread_time()
    work()
    return (time.thread_time() - begin) * 1e3
