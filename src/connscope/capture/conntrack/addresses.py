"""Which addresses are those of a network namespace itself."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from connscope.capture.conntrack.keys import Addresses, address_words, mixed
from connscope.kernel.netlink.route_socket import BROADCAST, LOCAL, Routes
from connscope.row.cast import is_everybody, is_group

__all__ = ("OwnAddresses",)

Mask = npt.NDArray[np.bool_]

BITS = 128


class OwnAddresses:
    """What a namespace takes for itself, as its local routing table says.

    Args:
        routes: that table.
    """

    def __init__(self, routes: Routes) -> None:
        self._local = _Prefixes(routes[routes["kind"] == LOCAL])
        self._broadcast = _Prefixes(routes[routes["kind"] == BROADCAST])

    def has(self, addresses: Addresses) -> Mask:
        """Which of the addresses are its own; shape (n,)."""
        return self._local.cover(addresses)

    def hears(self, addresses: Addresses) -> Mask:
        """Which are of a group, or of everybody on a network: those may be for it too."""
        return is_group(addresses) | is_everybody(addresses) | self._broadcast.cover(addresses)


class _Prefixes:
    """Networks, by the length of what their addresses have in common."""

    def __init__(self, routes: Routes) -> None:
        self._networks = list[tuple[Addresses, npt.NDArray[np.uint64]]]()
        for bits in np.unique(routes["bits"]).tolist():
            mask = np.packbits(np.arange(BITS) < bits)
            networks = routes["address"][routes["bits"] == bits] & mask
            self._networks.append((mask, np.unique(mixed(*address_words(networks)))))

    def cover(self, addresses: Addresses) -> Mask:
        """Which addresses are in one of them."""
        found = np.zeros(len(addresses), np.bool_)
        for mask, keys in self._networks:
            found |= np.isin(mixed(*address_words(addresses & mask)), keys)
        return found
