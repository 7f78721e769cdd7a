"""Owners of connections that no event and no fd table told: those of their listeners."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from connscope.row.columns import Rows
from connscope.row.words import Group, OwnerEvidence, Role, State

__all__ = ("give_listeners_owner",)

OWNER = ("pid", "process_start_ns", "comm")


def give_listeners_owner(rows: Rows) -> None:
    """Fills in who listens where a connection of the server side has no owner; an estimate.

    That is what waits to be accepted, and was there before us. Where several processes listen on
    the port (SO_REUSEPORT, addresses of their own) nothing is said.

    Args:
        rows: of one look; changed in place.
    """
    listens = rows["state"] == State.LISTEN
    wanting = ~listens & (rows["role"] == Role.SERVER) & (rows["pid"] == 0)
    if not wanting.any():
        return
    listeners = rows[listens & (rows["pid"] != 0)]
    places, counts = _places(listeners)
    keys = _keys(rows[wanting])
    at = np.minimum(np.searchsorted(places, keys), max(len(places) - 1, 0))
    found = np.zeros(len(keys), np.bool_)
    if len(places):
        found = (places[at] == keys) & (counts[at] == 1)
    heirs = np.flatnonzero(wanting)[found]
    order = np.argsort(_keys(listeners), kind="stable")
    owners = listeners[order][np.searchsorted(_keys(listeners)[order], keys[found])]
    for name in OWNER:
        rows[name][heirs] = owners[name]
    rows["owner_evidence"][heirs] = OwnerEvidence.LISTENER
    rows["known"][heirs] |= np.uint16(Group.OWNER)


def _keys(rows: Rows) -> npt.NDArray[np.uint64]:
    """Namespace and port as one number."""
    keys: npt.NDArray[np.uint64] = rows["netns"].astype(np.uint64) << np.uint64(16)
    keys |= rows["local_port"]
    return keys


def _places(listeners: Rows) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.intp]]:
    """Each namespace and port once, and how many processes listen there."""
    pairs = np.stack([_keys(listeners), listeners["pid"].astype(np.uint64)], axis=1)
    return np.unique(np.unique(pairs, axis=0)[:, 0], return_counts=True)
