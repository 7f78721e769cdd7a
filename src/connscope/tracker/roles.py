"""Which side of a connection we are, where the tier could not tell."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from connscope.kernel.host.network_namespaces import find_network_namespaces
from connscope.kernel.host.port_range import DEFAULT_PORT_RANGE, PortRange, read_port_range
from connscope.row.columns import Rows
from connscope.row.words import Role
from connscope.table.ports import EphemeralPorts, ListeningPorts, find_roles

__all__ = ("RoleFinder", "read_port_ranges")

REST_S = 60.0
"""So long a port range is taken to be what it was."""

Evidence = npt.NDArray[np.uint8]


def read_port_ranges() -> dict[int, tuple[int, int]]:
    """The ephemeral ports of each network namespace that may be entered, by its inode.

    Those that can not be read now, for want of descriptors say, are missing: a role is then guessed
    with the usual range.
    """
    try:
        namespaces = find_network_namespaces()
    except OSError:
        return {}
    found = {inode: read_port_range(path) for inode, path in namespaces.items()}
    return {inode: ports for inode, ports in found.items() if ports != DEFAULT_PORT_RANGE}


class RoleFinder:
    """Remembers who listens, and which ports the kernel gives to clients.

    Args:
        read_ranges: gives the port ranges that are not the usual one, by namespace.
    """

    def __init__(
        self, read_ranges: Callable[[], dict[int, tuple[int, int]]] = read_port_ranges
    ) -> None:
        self._ports = ListeningPorts()
        self._read_ranges = read_ranges
        self._ranges: dict[int, tuple[int, int]] = {}
        self._due_s = 0.0

    def hear(self, told: Rows) -> None:
        """Listeners come and go with these rows."""
        self._ports.update(told)

    def see(self, rows: Rows) -> None:
        """These are open now, listeners among them; what was gone before is forgotten."""
        self._ports.end_poll()
        self._ports.replace(rows)

    def fill(self, rows: Rows, now_s: float) -> Evidence:
        """Writes the roles that can be found into rows where there is none; how each was found, as
        `RoleEvidence`, shape (n,)."""
        if now_s >= self._due_s and (rows["role"] == Role.UNKNOWN).any():
            self._ranges, self._due_s = self._read_ranges(), now_s + REST_S
        ephemeral = EphemeralPorts(PortRange(*DEFAULT_PORT_RANGE), self._ranges)
        found = find_roles(rows, self._ports, ephemeral)
        rows["role"] = found.roles
        return found.evidence
