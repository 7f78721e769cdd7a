"""Thinning for display: of many connections alike a few are shown, which stand for the rest."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from connscope.row.columns import Rows
from connscope.row.words import Role
from connscope.table.keys import Numbers, Words, address_words, numbered

__all__ = ("Thinned", "Thresholds", "thin")

HIGHEST_PORT = 0xFFFF
PORT_BITS = 16

Mask = npt.NDArray[np.bool_]


class Thresholds(NamedTuple):
    """How groups are thinned.

    Attributes:
        most: a group of more is thinned until it has no more, if that can be.
        base: ports that are multiples of its powers stay. The kernel gives out ephemeral ports that
            are all odd or all even, so a power of 2 would keep all of them or none.
        least: a group is not thinned to fewer.
    """

    most: int = 5
    base: int = 3
    least: int = 3


class Thinned(NamedTuple):
    """Which rows to show.

    Attributes:
        kept: shape (n,).
        counts: how many connections a kept row stands for, itself included; 0 for the others;
            shape (n,). The sum is the number of connections.
    """

    kept: Mask
    counts: npt.NDArray[np.int64]


class _Flows(NamedTuple):
    """Connections from client to server: the key of their group, the port, both processes."""

    group: tuple[Words, ...]
    port: npt.NDArray[np.int64]
    pids: Words


class _Sorted(NamedTuple):
    """Flows by group and port: number of the group and port of each, where each group starts and
    how many it has."""

    groups: Numbers
    ports: npt.NDArray[np.int64]
    starts: npt.NDArray[np.intp]
    sizes: npt.NDArray[np.intp]


def thin(
    rows: Rows,
    roles: npt.NDArray[np.uint8],
    other_ends: Numbers,
    thresholds: Thresholds = Thresholds(),  # noqa: B008 (it can not be changed)
) -> Thinned:
    """Thins each group of connections that go from the same client address to the same server
    address and port, in one network namespace, between the same two processes.

    The port of the client decides, so that both machines of a connection show the same ones.

    Args:
        rows: of connections, one for each end.
        roles: the `Role` of each local end, shape (n,). Where it is unknown the lower port is the
            server's.
        other_ends: index of the row of the other end, or -1, shape (n,). Of two rows only one is
            shown, which stands for both.
        thresholds: when to thin how far.

    Raises:
        ValueError: a group could be thinned to nothing, or never.
    """
    if thresholds.least < 1 or thresholds.base < 2:
        raise ValueError(f"{thresholds} must have at least 1 row left and a base of 2 or more")
    kept, counts = np.zeros(len(rows), np.bool_), np.zeros(len(rows), np.int64)
    is_server = (roles == Role.SERVER) | (
        (roles == Role.UNKNOWN) & (rows["local_port"] < rows["peer_port"])
    )
    where = np.flatnonzero(_stand_for_both(is_server, other_ends))
    if not len(where):
        return Thinned(kept, counts)
    flows = _flows(rows, where, is_server[where], other_ends[where])
    groups = numbered(flows.group)
    order = np.argsort(groups << PORT_BITS | flows.port, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    sizes = np.diff(starts, append=len(order))
    table = _Sorted(groups[order], flows.port[order], starts, sizes)
    kept_ordered = _kept(table, flows.pids[order], thresholds)
    kept[where[order]] = kept_ordered
    counts[where[order[kept_ordered]]] = _counts(table, np.flatnonzero(kept_ordered))
    return Thinned(kept, counts)


def _stand_for_both(is_server: Mask, other_ends: Numbers) -> Mask:
    """The client's row of each two; the first, where they do not agree who that is."""
    own = np.arange(len(other_ends))
    other = np.where(other_ends >= 0, other_ends, own)
    opposite = is_server != is_server[other]
    stands: Mask = np.where(opposite, ~is_server, own <= other)
    return stands


def _flows(rows: Rows, where: npt.NDArray[np.intp], is_server: Mask, other_ends: Numbers) -> _Flows:
    local, peer = address_words(rows, "local_address"), address_words(rows, "peer_address")
    key = [
        np.where(is_server, first[where], second[where])
        for one, other in zip(local, peer, strict=True)
        for first, second in ((one, other), (other, one))
    ]
    local_port, peer_port = rows["local_port"][where], rows["peer_port"][where]
    server_port = np.where(is_server, local_port, peer_port).astype(np.uint64)
    place = rows["netns"][where].astype(np.uint64) << np.uint64(8) | rows["protocol"][where]
    key.append(place << np.uint64(PORT_BITS) | server_port)
    pids = rows["pid"].astype(np.uint64)
    own = pids[where]
    others = np.where(other_ends >= 0, pids[other_ends], np.uint64(0))
    high, low = np.where(is_server, others, own), np.where(is_server, own, others)
    port = np.where(is_server, peer_port, local_port).astype(np.int64)
    return _Flows(tuple(key), port, high << np.uint64(32) | low)


def _kept(table: _Sorted, pids: Words, thresholds: Thresholds) -> Mask:
    """Which flows stay: those whose ports are multiples of their group's power."""
    differ = np.bincount(table.groups, pids != np.repeat(pids[table.starts], table.sizes)) > 0
    crowded = (table.sizes > thresholds.most) & ~differ
    concerned = np.flatnonzero(crowded[table.groups])
    kept = np.ones(len(pids), np.bool_)
    if len(concerned):
        groups = (np.cumsum(crowded) - 1)[table.groups[concerned]]
        highest = _highest_powers(table.ports[concerned], thresholds.base)
        kept[concerned] = highest >= _powers_of_groups(groups, highest, thresholds)[groups]
    return kept


def _highest_powers(ports: npt.NDArray[np.int64], base: int) -> npt.NDArray[np.int64]:
    """The exponent of the highest power of the base that the port is a multiple of."""
    exponents, power = np.zeros(len(ports), np.int64), base
    while power <= HIGHEST_PORT:
        exponents += ports % power == 0
        power *= base
    return exponents


def _powers_of_groups(
    groups: Numbers, highest: npt.NDArray[np.int64], thresholds: Thresholds
) -> npt.NDArray[np.int64]:
    """The exponent by which each group is thinned."""
    width = int(highest.max()) + 1
    have = np.bincount(groups * width + highest, minlength=(int(groups.max()) + 1) * width)
    left = have.reshape(-1, width)[:, ::-1].cumsum(axis=1)[:, ::-1]
    exponents = np.zeros(len(left), np.int64)
    goes_on = np.ones(len(left), np.bool_)
    for exponent in range(1, width):
        goes_on &= (left[:, exponent - 1] > thresholds.most) & (
            left[:, exponent] >= thresholds.least
        )
        exponents[goes_on] = exponent
    return exponents


def _counts(table: _Sorted, kept: npt.NDArray[np.intp]) -> npt.NDArray[np.int64]:
    """One, and what was left out since the one kept before; the last one takes the rest too."""
    groups = table.groups[kept]
    is_first = np.diff(groups, prepend=-1) != 0
    is_last = np.diff(groups, append=-1) != 0
    starts, ends = table.starts[groups], (table.starts + table.sizes)[groups]
    before = np.where(is_first, starts - 1, np.roll(kept, 1))
    return kept - before + np.where(is_last, ends - 1 - kept, 0)
