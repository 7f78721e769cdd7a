"""Kinds of addresses."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.server.keys import Keys

__all__ = ("is_private", "is_v4", "means_itself", "ordered_words")

Addresses = npt.NDArray[Any]
"""Shape (n, 16), dtype uint8; IPv4 as v4-mapped."""

Mask = npt.NDArray[np.bool_]
MAPPED = 0xFFFF
U32 = np.uint64(32)
PRIVATE_V4 = ((24, 10), (20, 0xAC1), (16, 0xC0A8), (22, 0x6440 >> 6))
"""10/8, 172.16/12, 192.168/16, 100.64/10: how far to shift, and what is left then."""


def ordered_words(addresses: Addresses) -> tuple[Keys, Keys]:
    """Two words whose order is that of the 16 bytes."""
    words = np.ascontiguousarray(addresses).view(np.uint8).reshape(-1, 16).view(">u8")
    return words[:, 0].astype(np.uint64), words[:, 1].astype(np.uint64)


def is_v4(addresses: Addresses) -> Mask:
    """IPv4, as v4-mapped."""
    high, low = ordered_words(addresses)
    mapped: Mask = (high == 0) & (low >> U32 == MAPPED)
    return mapped


def means_itself(addresses: Addresses) -> Mask:
    """Loopback, link-local, none at all: other machines have these too, and mean themselves."""
    high, low = ordered_words(addresses)
    v4 = low & np.uint64(0xFFFFFFFF)
    v4_itself = (v4 >> np.uint64(24) == 127) | (v4 >> np.uint64(16) == 0xA9FE) | (v4 == 0)
    itself: Mask = (
        ((high == 0) & (low >> U32 == MAPPED) & v4_itself)
        | ((high == 0) & (low <= np.uint64(1)))
        | (high >> np.uint64(54) == 0x3FA)
    )
    return itself


def is_private(addresses: Addresses) -> Mask:
    """Networks that no one routes: RFC 1918, RFC 6598, fc00::/7; not those that mean a machine."""
    high, low = ordered_words(addresses)
    v4 = low & np.uint64(0xFFFFFFFF)
    among = np.zeros(len(v4), np.bool_)
    for shift, prefix in PRIVATE_V4:
        among |= v4 >> np.uint64(shift) == prefix
    private: Mask = ((high == 0) & (low >> U32 == MAPPED) & among) | (high >> np.uint64(57) == 0x7E)
    return private
