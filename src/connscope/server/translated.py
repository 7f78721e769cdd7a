"""Ends between which an address is translated: their sequence numbers are what is left as it was.

Two ends that no addresses join are one connection if their initial sequence numbers, exact and
random, are mirrored, no third end has them, and one address or port is common: two numbers of 32
bits are not expected to agree by accident.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from connscope.row.columns import Rows
from connscope.row.words import Group
from connscope.server.addresses import means_itself
from connscope.server.joins import alone
from connscope.server.keys import Integers, Keys, mixed

__all__ = ("isn_keys", "matched_by_isn")

Mask = npt.NDArray[np.bool_]


def isn_keys(rows: Rows) -> tuple[Keys, Mask]:
    """A key that both ends of a connection have, and of which rows it can be told.

    Args:
        rows: shape (n,), `ROW`.
    """
    local, peer = rows["isn_local"], rows["isn_peer"]
    exact = rows["known"] & rows["exact"] & Group.JOIN.value != 0
    may: Mask = exact & (local > 0) & (peer > 0) & (local != peer)
    return mixed(rows["protocol"], np.minimum(local, peer), np.maximum(local, peer)), may


def matched_by_isn(rows: Rows, keys: Integers, places: Keys) -> tuple[Integers, Integers]:
    """Which rows belong together; each at most once.

    Args:
        rows: shape (n,), `ROW`, of which `isn_keys` can be told.
        keys: the same number for the same of these keys; all rows that have one are there.
        places: the same for the same namespace of the same host.
    """
    lower = rows["isn_local"] < rows["isn_peer"]
    first, second = alone(keys.astype(np.uint64), np.ones(len(rows), np.bool_), lower)
    one, other = rows[first], rows[second]
    sure = (one["isn_local"] == other["isn_peer"]) & (one["isn_peer"] == other["isn_local"])
    sure &= one["protocol"] == other["protocol"]
    sure &= _have_an_end_in_common(one, other)
    inside = _stays_inside(one) & _stays_inside(other)
    sure &= ~inside | (places[first] == places[second])
    return first[sure], second[sure]


def _have_an_end_in_common(one: Rows, other: Rows) -> Mask:
    """An address or a port is the same, seen from both sides."""
    common: Mask = (one["local_port"] == other["peer_port"]) | (
        one["peer_port"] == other["local_port"]
    )
    common |= (one["local_address"] == other["peer_address"]).all(axis=1)
    common |= (one["peer_address"] == other["local_address"]).all(axis=1)
    return common


def _stays_inside(rows: Rows) -> Mask:
    return means_itself(rows["local_address"]) | means_itself(rows["peer_address"])
