"""UDP flows whose other end is no single machine: a group, or everybody on a network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from connscope.row.columns import Rows
from connscope.row.words import Group, Protocol

__all__ = (
    "NETWORK_BROADCAST",
    "cast_texts",
    "is_broadcast",
    "is_cast",
    "is_everybody",
    "is_group",
    "is_multicast",
    "mark_broadcasts",
)

Mask = npt.NDArray[np.bool_]

V4 = np.frombuffer(bytes(10) + b"\xff\xff", np.uint8)
V4_AT, V4_MULTICAST, V6_MULTICAST = 12, 0xE0, 0xFF
NETWORK_BROADCAST = 0x80
"""In `left_state` of UDP, which has no such state: one end is the broadcast address of a network of
the row's namespace. It looks like any other address, so who captures has to say it."""


def is_cast(rows: Rows) -> Mask:
    """Which rows with ends have a word; shape (n,)."""
    found: Mask = rows["known"] & Group.ENDS.value != 0
    found &= is_multicast(rows) | is_broadcast(rows)
    return found


def cast_texts(rows: Rows) -> npt.NDArray[np.uint8]:
    """``multicast``, ``broadcast`` or NUL bytes for each row; shape (n, 9)."""
    words = np.where(is_multicast(rows), b"multicast", b"")
    words = np.where(is_broadcast(rows), b"broadcast", words).astype("S9")
    return words.view(np.uint8).reshape(len(rows), -1)


def is_multicast(rows: Rows) -> Mask:
    """Which rows are UDP flows with an end in 224.0.0.0/4 or ff00::/8; shape (n,)."""

    return _of_udp(rows, is_group)


def is_broadcast(rows: Rows) -> Mask:
    """Which rows are UDP flows with an end that is 255.255.255.255, or are marked; shape (n,)."""
    found = _of_udp(rows, is_everybody)
    found |= (rows["protocol"] == Protocol.UDP) & (rows["left_state"] == NETWORK_BROADCAST)
    return found


def is_group(octets: npt.NDArray[np.uint8]) -> Mask:
    """Which addresses, shape (n, 16), are in 224.0.0.0/4 or ff00::/8; shape (n,)."""
    found: Mask = octets[:, 0] == V6_MULTICAST
    found |= _is_v4(octets) & (octets[:, V4_AT] & 0xF0 == V4_MULTICAST)
    return found


def is_everybody(octets: npt.NDArray[np.uint8]) -> Mask:
    """Which addresses, shape (n, 16), are 255.255.255.255; shape (n,)."""
    found: Mask = _is_v4(octets) & (octets[:, V4_AT:] == 0xFF).all(axis=1)
    return found


def mark_broadcasts(rows: Rows, places: npt.NDArray[np.intp], found: Mask) -> None:
    """Writes into UDP rows whether one end is the broadcast address of a network.

    Args:
        rows: changed in place.
        places: of UDP rows, shape (m,).
        found: which of those have such an end, shape (m,).
    """
    rows["left_state"][places] = np.where(found, NETWORK_BROADCAST, 0)


def _of_udp(rows: Rows, judge: Callable[[npt.NDArray[np.uint8]], Mask]) -> Mask:
    found: Mask = rows["protocol"] == Protocol.UDP
    where = np.flatnonzero(found)
    if len(where):
        some = rows[["local_address", "peer_address"]][where]
        found[where] = judge(_octets(some, "local_address")) | judge(_octets(some, "peer_address"))
    return found


def _octets(rows: Rows, column: str) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(rows[column]).view(np.uint8).reshape(len(rows), 16)


def _is_v4(octets: npt.NDArray[np.uint8]) -> Mask:
    mapped: Mask = (octets[:, :V4_AT] == V4).all(axis=1)
    return mapped
