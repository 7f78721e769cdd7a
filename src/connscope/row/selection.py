"""Which rows somebody wants to see: every condition is one column compared, all must hold."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Network
from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.row.address import in_network
from connscope.row.columns import Rows
from connscope.row.words import Kind, Role

__all__ = ("Selection",)

Mask = npt.NDArray[np.bool_]
COMM_BYTES = 16


@dataclass(frozen=True, slots=True)
class Selection:
    """Conditions; an empty one holds for every row. Several values of one condition mean any of
    them.

    Attributes:
        pids, uids, netns: exact numbers.
        comms: process names as in ``/proc/PID/comm``; ``*`` at the end stands for any rest.
        protocols: IANA numbers.
        ports: of either end.
        networks: of either end, IPv4 as v4-mapped.
        role: which side the local end is.
        failed: only failed connects.
    """

    pids: tuple[int, ...] = ()
    uids: tuple[int, ...] = ()
    netns: tuple[int, ...] = ()
    comms: tuple[str, ...] = ()
    protocols: tuple[int, ...] = ()
    ports: tuple[int, ...] = ()
    networks: tuple[IPv6Network, ...] = ()
    role: Role | None = None
    failed: bool = False

    def apply(self, rows: Rows) -> Rows:
        """The selected rows, and every lost row: nobody may overlook those."""
        if self == EVERYTHING or not len(rows):
            return rows
        selected: Rows = rows[self._mask(rows) | (rows["kind"] == Kind.LOST)]
        return selected

    def _mask(self, rows: Rows) -> Mask:
        mask = np.ones(len(rows), np.bool_)
        for name, values in (
            ("pid", self.pids),
            ("uid", self.uids),
            ("netns", self.netns),
            ("protocol", self.protocols),
        ):
            if values:
                mask &= np.isin(rows[name], values)
        if self.comms:
            mask &= _comm_mask(rows["comm"], self.comms)
        if self.ports:
            mask &= np.isin(rows["local_port"], self.ports) | np.isin(rows["peer_port"], self.ports)
        if self.networks:
            mask &= _any(
                in_network(rows[end], network)
                for end in ("local_address", "peer_address")
                for network in self.networks
            )
        if self.role is not None:
            mask &= rows["role"] == self.role
        if self.failed:
            mask &= rows["kind"] == Kind.FAILED
        return mask


EVERYTHING = Selection()


def _comm_mask(column: npt.NDArray[Any], comms: tuple[str, ...]) -> Mask:
    comm_bytes = np.ascontiguousarray(column).view(np.uint8).reshape(-1, COMM_BYTES)
    return _any(_one_comm_mask(comm_bytes, comm) for comm in comms)


def _one_comm_mask(comm_bytes: npt.NDArray[np.uint8], comm: str) -> Mask:
    """The kernel cuts names to 15 bytes and a NUL, so a longer wish is cut too. A name need not be
    UTF-8; the command line has such bytes as surrogates."""
    stem = comm.removesuffix("*").encode(errors="surrogateescape")[: COMM_BYTES - 1]
    wanted = stem if comm.endswith("*") else stem + b"\0"
    matches: Mask = (comm_bytes[:, : len(wanted)] == np.frombuffer(wanted, np.uint8)).all(axis=1)
    return matches


def _any(masks: Any) -> Mask:
    combined: Mask = np.logical_or.reduce(list(masks))
    return combined
