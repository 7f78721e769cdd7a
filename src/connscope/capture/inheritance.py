"""Owners of connections that no event and no fd table told: those of their listeners."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from connscope.row.columns import Rows
from connscope.row.words import Group, OwnerEvidence, Protocol, Role, State

__all__ = ("Listeners", "give_listeners_owner")

OWNER = ("pid", "process_start_ns", "comm")


class Listeners:
    """Who listens where, by namespace and port; made once for many that ask.

    Args:
        rows: of listeners; those without an owner tell nothing.
    """

    def __init__(self, rows: Rows) -> None:
        rows = rows[rows["pid"] != 0]
        keys = _keys(rows["netns"], rows["local_port"])
        order = np.argsort(keys, kind="stable")
        rows, keys = rows[order], keys[order]
        firsts = np.flatnonzero(np.diff(keys, prepend=keys[:1] + np.uint64(1)))
        if len(firsts):
            pids = np.ascontiguousarray(rows["pid"])
            lowest, highest = (of.reduceat(pids, firsts) for of in (np.minimum, np.maximum))
            firsts = firsts[lowest == highest]
        self._keys, self._owners = keys[firsts], rows[firsts]

    def give_owner(self, rows: Rows) -> None:
        """Fills in who listens where a connection of the server side has no owner; an estimate.

        Where several processes listen on the port (SO_REUSEPORT, addresses of their own) nothing is
        said.

        Args:
            rows: changed in place.
        """
        wanting = (rows["pid"] == 0) & (rows["role"] == Role.SERVER)
        wanting &= (rows["state"] != State.LISTEN) & (rows["protocol"] != Protocol.UDP)
        heirs = np.flatnonzero(wanting)
        if not len(heirs) or not len(self._keys):
            return
        keys = _keys(rows["netns"][heirs], rows["local_port"][heirs])
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        found = self._keys[at] == keys
        heirs, at = heirs[found], at[found]
        for name in OWNER:
            rows[name][heirs] = self._owners[name][at]
        rows["owner_evidence"][heirs] = OwnerEvidence.LISTENER
        rows["known"][heirs] |= np.uint16(Group.OWNER)


def give_listeners_owner(rows: Rows) -> None:
    """The same among the rows of one look: of what waits to be accepted, and was there before us.

    Args:
        rows: changed in place.
    """
    Listeners(rows[rows["state"] == State.LISTEN]).give_owner(rows)


def _keys(
    namespaces: npt.NDArray[np.uint32], ports: npt.NDArray[np.uint16]
) -> npt.NDArray[np.uint64]:
    """Namespace and port as one number."""
    keys: npt.NDArray[np.uint64] = namespaces.astype(np.uint64) << np.uint64(16)
    keys |= ports
    return keys
