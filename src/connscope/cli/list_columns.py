"""The columns of the table of open connections and listeners."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Network
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from connscope.cli import cells
from connscope.row.address import in_network, parse_network
from connscope.row.columns import Rows
from connscope.row.listeners import has_queue_limit, is_listener
from connscope.row.words import Failure, Group, Kind, OwnerEvidence, Protocol, State

__all__ = ("ListColumn", "connection_columns", "exposures", "human_count", "listener_columns")


class ListColumn(NamedTuple):
    """One column.

    Attributes:
        title: what stands above it.
        side: -1 if its cells are to the left, 1 if they are to the right.
        rank: 0 and 1 are always there, others if the line has room, the lowest first.
        cells: makes the text of each row.
        least: the width that it may be cut to; 0 if it may not be cut.
        ends_matter: it is cut in the middle.
    """

    title: str
    side: int
    rank: int
    cells: Callable[[Rows], list[str]]
    least: int = 0
    ends_matter: bool = False


LEFT, RIGHT = -1, 1
ENDS = (Kind.CLOSED, Kind.IDLE, Kind.UNLISTENED)
ALWAYS = 0
COMM_LEAST, ENDPOINT_LEAST = 7, 14
PROOFS = (OwnerEvidence.CONNECT, OwnerEvidence.ACCEPT, OwnerEvidence.FD_TABLE)
"""Who holds the socket's file is no estimate in a list of what is open now."""


def connection_columns(*, wide: bool, numeric: bool) -> list[ListColumn]:
    """What is shown of connections, and of listeners among them.

    Args:
        wide: everything, in exact numbers.
        numeric: ports and users as numbers.
    """
    port = str if numeric else cells.service
    count = str if wide else human_count
    first = [
        ListColumn("STATE", LEFT, ALWAYS, _states),
        *_owner_columns(),
        ListColumn("DIR", LEFT, 4, _directions),
        _endpoint_column("LOCAL", "local", port),
        _endpoint_column("PEER", "peer", port),
        ListColumn("TX", RIGHT, 1, lambda rows: _traffic(rows, "bytes_sent", count)),
        ListColumn("RX", RIGHT, 1, lambda rows: _traffic(rows, "bytes_received", count)),
    ]
    last = _wide_columns(numeric) if wide else _narrow_columns(numeric)
    return [*first, *last]


def listener_columns(*, wide: bool, numeric: bool, udp: bool = False) -> list[ListColumn]:
    """What is shown of listeners if there is nothing else.

    Args:
        wide: everything.
        numeric: ports and users as numbers.
        udp: some may be of UDP.
    """
    port = str if numeric else cells.service
    protocol = ListColumn(
        "PROTO", LEFT, ALWAYS, lambda rows: cells.words(rows, "protocol", Protocol)
    )
    columns = [
        *([protocol] if udp else []),
        *_owner_columns(),
        _endpoint_column("LOCAL", "local", port),
        ListColumn("EXPOSURE", LEFT, ALWAYS, exposures),
        ListColumn("QUEUE", RIGHT, 1, lambda rows: _of_listeners(rows, "queue_length")),
        ListColumn("LIMIT", RIGHT, 1, lambda rows: _of_listeners(rows, "queue_limit")),
        _user_column(numeric, 2),
        ListColumn("AGE", RIGHT, 4, _ages),
        ListColumn("NETNS", RIGHT, 3, lambda rows: cells.numbers(rows, "netns")),
    ]
    return columns + _identity_columns() if wide else columns


def _owner_columns() -> list[ListColumn]:
    return [
        ListColumn("PID", RIGHT, ALWAYS, lambda rows: cells.pids(rows, PROOFS)),
        ListColumn("COMM", LEFT, ALWAYS, cells.comms, COMM_LEAST),
    ]


def _user_column(numeric: bool, rank: int) -> ListColumn:
    text = str if numeric else cells.user
    return ListColumn("USER", LEFT, rank, lambda rows: cells.users(rows, text))


def _endpoint_column(title: str, end: str, port: Callable[[int], str]) -> ListColumn:
    """A port has its service's name at the end that serves."""
    return ListColumn(
        title,
        LEFT,
        ALWAYS,
        lambda rows: _endpoints(rows, end, port),
        ENDPOINT_LEAST,
        ends_matter=True,
    )


def _narrow_columns(numeric: bool) -> list[ListColumn]:
    return [
        ListColumn("RTT_MS", RIGHT, 2, _rtts),
        ListColumn("AGE", RIGHT, 3, _ages),
        ListColumn("QUEUE", RIGHT, 6, _queues),
        ListColumn("RETRANS", RIGHT, 7, lambda rows: cells.numbers(rows, "retransmits")),
        _user_column(numeric, 8),
        ListColumn("NETNS", RIGHT, 5, lambda rows: cells.numbers(rows, "netns")),
    ]


def _wide_columns(numeric: bool) -> list[ListColumn]:
    return [
        ListColumn("UNREAD", RIGHT, 1, lambda rows: _traffic(rows, "unread_bytes", str)),
        ListColumn("UNACKED", RIGHT, 1, lambda rows: _traffic(rows, "unacked_bytes", str)),
        ListColumn("QUEUE", RIGHT, 1, _queues),
        ListColumn("RTT_US", RIGHT, 1, lambda rows: cells.numbers(rows, "rtt_us")),
        ListColumn("CONNECT_US", RIGHT, 1, lambda rows: cells.numbers(rows, "connect_us")),
        ListColumn("RETRANS", RIGHT, 1, lambda rows: cells.numbers(rows, "retransmits")),
        ListColumn("AGE", RIGHT, 1, _ages),
        _user_column(numeric, 1),
        ListColumn("NETNS", RIGHT, 1, lambda rows: cells.numbers(rows, "netns")),
        *_identity_columns(),
    ]


def _identity_columns() -> list[ListColumn]:
    return [
        ListColumn("INODE", RIGHT, 1, lambda rows: cells.numbers(rows, "socket_inode")),
        ListColumn("ID", RIGHT, 1, lambda rows: cells.numbers(rows, "connection_id")),
    ]


def _states(rows: Rows) -> list[str]:
    """The state; of what has ended, how."""
    states = cells.words(rows, "state", State)
    if (rows["protocol"] == Protocol.UDP).any():
        states = _with_udp_states(rows, states)
    if (rows["kind"] == Kind.SNAPSHOT).all():
        return states
    failures = cells.words(rows, "failure", Failure)
    kinds = rows["kind"].tolist()
    return [
        failure if kind == Kind.FAILED else "closed" if kind in ENDS else state
        for kind, state, failure in zip(kinds, states, failures, strict=True)
    ]


def _with_udp_states(rows: Rows, states: list[str]) -> list[str]:
    """UDP has none; whether there is a peer is said as `ss` does."""
    sides = zip(cells.udp_words(rows), states, rows["peer_port"].tolist(), strict=True)
    return [(name if port else f"{name} unconn") if name else state for name, state, port in sides]


def _directions(rows: Rows) -> list[str]:
    """Who connected; a listener has not been connected to."""
    listens = (rows["state"] == State.LISTEN).tolist()
    return [
        "" if listening else direction
        for direction, listening in zip(cells.directions(rows), listens, strict=True)
    ]


def _endpoints(rows: Rows, end: str, port: Callable[[int], str]) -> list[str]:
    addresses = cells.addresses(rows, f"{end}_address")
    return list(map(_endpoint, addresses, cells.ports(rows, end, port)))


def _endpoint(address: str, port: str) -> str:
    """Nothing for the peer of a listener, which has none."""
    if not port:
        return ""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _traffic(rows: Rows, name: str, text: Callable[[int], str]) -> list[str]:
    known = rows["known"] & Group.TRAFFIC != 0
    return [
        text(value) if shown else ""
        for value, shown in zip(rows[name].tolist(), known.tolist(), strict=True)
    ]


UNITS = ("", "K", "M", "G", "T", "P", "E")


@lru_cache(65536)
def human_count(count: int) -> str:
    """``9999``, ``12.3K``, ``45.6M``: units of a thousand."""
    if count < 10_000:
        return str(count)
    value, unit = float(count), 0
    while value >= 999.5:
        value, unit = value / 1000, unit + 1
    return f"{value:.1f}{UNITS[unit]}" if value < 99.95 else f"{value:.0f}{UNITS[unit]}"


def _rtts(rows: Rows) -> list[str]:
    return [f"{value / 1000:.2f}" if value else "" for value in rows["rtt_us"].tolist()]


def _ages(rows: Rows) -> list[str]:
    """How long it has been open, where that is known; till its end if it has one."""
    ends = np.where(rows["closed_ns"] > 0, rows["closed_ns"], rows["time_ns"])
    known = (rows["opened_ns"] > 0) & (ends >= rows["opened_ns"])
    seconds = np.where(known, ends - rows["opened_ns"], 0) // 1_000_000_000
    return [
        _age(value) if shown else ""
        for value, shown in zip(seconds.tolist(), known.tolist(), strict=True)
    ]


@lru_cache(65536)
def _age(seconds: int) -> str:
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days}d{hour}h"
    if hours:
        return f"{hour}h{minute}m"
    return f"{minute}m{second}s" if minutes else f"{second}s"


def _of_listeners(rows: Rows, name: str) -> list[str]:
    known = has_queue_limit(rows) if name == "queue_limit" else is_listener(rows)
    return [
        str(value) if shown else ""
        for value, shown in zip(rows[name].tolist(), known.tolist(), strict=True)
    ]


def _queues(rows: Rows) -> list[str]:
    lengths, limits = _of_listeners(rows, "queue_length"), _of_listeners(rows, "queue_limit")
    return [
        f"{length}/{limit}" if limit else "" for length, limit in zip(lengths, limits, strict=True)
    ]


LOOPBACK = ("127.0.0.0/8", "::1")
PRIVATE = (
    *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"),
    *("fc00::/7", "fe80::/10"),
)
EVERY = ("0.0.0.0", "::")  # noqa: S104 - this is what is looked for
EXPOSURES: tuple[tuple[str, tuple[IPv6Network, ...]], ...] = tuple(
    (name, tuple(map(parse_network, networks)))
    for name, networks in (("all", EVERY), ("loopback", LOOPBACK), ("private", PRIVATE))
)


def exposures(rows: Rows) -> list[str]:
    """From where the local address can be reached: all, loopback, private or public."""
    found: npt.NDArray[Any] = np.full(len(rows), "public", "U8")
    for name, networks in EXPOSURES:
        for network in networks:
            found[in_network(rows["local_address"], network)] = name
    return [str(text) for text in found.tolist()]
