"""Which ports are listened on, and which end of a connection is the server for that reason."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from connscope.row.columns import ROW, Rows
from connscope.row.words import Kind, OwnerEvidence, Protocol, Role, State
from connscope.table.keys import (
    Words,
    address_words,
    are_among,
    is_loopback,
    is_v4,
    numbered,
)

__all__ = ("EphemeralPorts", "ListeningPorts", "RoleEvidence", "Roles", "find_roles")

ANY_V4 = np.frombuffer(bytes(10) + b"\xff\xff" + bytes(4), np.uint64)
BY_PROTOCOL, BY_NETNS = np.uint64(16), np.uint64(32)

Mask = npt.NDArray[np.bool_]
Address = tuple[Words, Words]


class RoleEvidence(IntEnum):
    """How we know which side the local end is, from none to the weakest."""

    UNKNOWN = 0
    TIER = 1  # the tier saw it
    LISTENER = 2  # one of the ports is listened on
    PORT_RANGE = 3  # one of the ports is of those that the kernel gives to clients


class Roles(NamedTuple):
    """The role of each row and how it was found: `Role` and `RoleEvidence`, both uint8, shape
    (n,)."""

    roles: npt.NDArray[np.uint8]
    evidence: npt.NDArray[np.uint8]


class EphemeralPorts(NamedTuple):
    """Ports that the kernel gives to sockets that ask for none, first and last.

    Attributes:
        default: in namespaces that are not listed.
        by_netns: by the inode of the network namespace.
    """

    default: tuple[int, int]
    by_netns: Mapping[int, tuple[int, int]]


class ListeningPorts:
    """The ports that are listened on, by network namespace and protocol, with their addresses.

    A port that was closed still counts until the poll after that is over: what was accepted on it
    may be seen only then.
    """

    def __init__(self) -> None:
        self._rows: Rows = np.empty(0, ROW)
        self._gone: Mask = np.empty(0, np.bool_)

    def __len__(self) -> int:
        """How many sockets listen, or have since the last poll."""
        return len(self._rows)

    def update(self, rows: Rows) -> None:
        """Takes in the listening and unlistened rows of a batch, in the order of the batch."""
        gone = rows["kind"] == Kind.UNLISTENED
        told = gone | (rows["kind"] == Kind.LISTENING)
        if told.any():
            self._take(self._gone, rows[told], gone[told])

    def replace(self, rows: Rows) -> None:
        """From now on those listen that a look has shown, and no others.

        A UDP socket without a peer takes what comes, as a listener does.
        """
        unconnected = (rows["protocol"] == Protocol.UDP) & (rows["peer_port"] == 0)
        listens = (rows["state"] == State.LISTEN) | (unconnected & (rows["local_port"] > 0))
        shown = rows[listens & (rows["kind"] != Kind.UNLISTENED)]
        self._take(np.ones(len(self._rows), np.bool_), shown, np.zeros(len(shown), np.bool_))

    def _take(self, old_gone: Mask, rows: Rows, gone: Mask) -> None:
        """What is said last of a socket counts; several sockets may share a port."""
        both, both_gone = np.concatenate((self._rows, rows)), np.concatenate((old_gone, gone))
        address = address_words(both, "local_address")
        numbers = numbered((both["connection_id"], _port_keys(both, "local_port"), *address))
        last = np.zeros(int(numbers.max(initial=-1)) + 1, np.int64)
        last[numbers] = np.arange(len(numbers))
        self._rows, self._gone = both[last], both_gone[last]

    def end_poll(self) -> None:
        """Forgets the ports that were closed before the poll that is now over."""
        self._rows, self._gone = self._rows[~self._gone], np.zeros((~self._gone).sum(), np.bool_)

    def are_listened_on(self, rows: Rows, end: str) -> Mask:
        """Whether something listens for the address and port of an end, in the row's own namespace.

        A socket that listens at ``::`` is taken to listen at all addresses of IPv4 too: if it does
        not is not known.

        Args:
            rows: shape (n,).
            end: ``local`` or ``peer``.
        """
        mask = np.zeros(len(rows), np.bool_)
        own = _port_keys(self._rows, "local_port")
        keys = _port_keys(rows, f"{end}_port")
        where = np.flatnonzero(np.isin(keys, own))
        if not len(where):
            return mask
        keys, address = keys[where], address_words(rows[where], f"{end}_address")
        zero = np.zeros_like(keys)
        any_v4 = zero + ANY_V4[0], zero + ANY_V4[1]
        others = own, *address_words(self._rows, "local_address")
        mask[where] = are_among((keys, *address), others) | are_among((keys, zero, zero), others)
        mask[where] |= is_v4(address) & are_among((keys, *any_v4), others)
        return mask

    def are_of_the_namespace(self, rows: Rows, addresses: Address) -> Mask:
        """Which addresses are addresses of listeners in the row's own namespace."""
        own = self._rows["netns"].astype(np.uint64), *address_words(self._rows, "local_address")
        return are_among((rows["netns"].astype(np.uint64), *addresses), own)


def _port_keys(rows: Rows, port: str) -> Words:
    """Namespace, protocol and port as one number."""
    keys: Words = rows["netns"].astype(np.uint64) << BY_NETNS
    keys |= rows["protocol"].astype(np.uint64) << BY_PROTOCOL
    keys |= rows[port]
    return keys


def find_roles(rows: Rows, ports: ListeningPorts, ephemeral: EphemeralPorts) -> Roles:
    """Says of each row which side of the connection the local end is, and how that was found.

    What the tier saw counts first: a connect, an accept, a listener that the connection came from.
    Then which of the two ports is listened on; the peer's only if its address is one of the same
    namespace. Then which of the two is one that the kernel gives to clients. If both or neither
    are, nothing is said.

    Args:
        rows: of connections.
        ports: what listens.
        ephemeral: which ports the kernel gives to clients.
    """
    roles = rows["role"].copy()
    by_owner = roles == Role.UNKNOWN
    roles[by_owner & (rows["owner_evidence"] == OwnerEvidence.CONNECT)] = Role.CLIENT
    accepted = np.isin(rows["owner_evidence"], [OwnerEvidence.ACCEPT, OwnerEvidence.LISTENER])
    roles[by_owner & accepted] = Role.SERVER
    evidence = np.where(roles == Role.UNKNOWN, RoleEvidence.UNKNOWN, RoleEvidence.TIER)
    evidence = evidence.astype(np.uint8)

    where = np.flatnonzero(roles == Role.UNKNOWN)
    if len(where):
        rest = rows[where]
        peer_listens = ports.are_listened_on(rest, "peer") & _is_peer_here(rest, rows, ports)
        by_listener = _choose(ports.are_listened_on(rest, "local"), peer_listens)
        first, last = _ephemeral_of(rest["netns"], ephemeral)
        local_port, peer_port = rest["local_port"], rest["peer_port"]
        by_range = _choose(
            (peer_port >= first) & (peer_port <= last),
            (local_port >= first) & (local_port <= last),
        )
        decided = by_listener != Role.UNKNOWN
        roles[where] = np.where(decided, by_listener, by_range)
        ways = np.where(by_range != Role.UNKNOWN, RoleEvidence.PORT_RANGE, RoleEvidence.UNKNOWN)
        evidence[where] = np.where(decided, RoleEvidence.LISTENER, ways)
    return Roles(roles, evidence)


def _choose(is_server: Mask, is_client: Mask) -> npt.NDArray[np.uint8]:
    """The role that the signs speak for; unknown where they speak for both or neither."""
    roles = np.where(is_server, np.uint8(Role.SERVER), np.uint8(Role.CLIENT))
    return np.where(is_server == is_client, np.uint8(Role.UNKNOWN), roles)


def _is_peer_here(rest: Rows, rows: Rows, ports: ListeningPorts) -> Mask:
    """Whether the peer's address is one of the namespace: loopback, or some local address there."""
    peer = address_words(rest, "peer_address")
    local = rows["netns"].astype(np.uint64), *address_words(rows, "local_address")
    here = is_loopback(peer) | ports.are_of_the_namespace(rest, peer)
    return here | are_among((rest["netns"].astype(np.uint64), *peer), local)


def _ephemeral_of(
    netns: npt.NDArray[np.uint32], ephemeral: EphemeralPorts
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16]]:
    """The first and the last ephemeral port of each row's namespace."""
    names, places = np.unique(netns, return_inverse=True)
    ranges = [ephemeral.by_netns.get(int(name), ephemeral.default) for name in names]
    first, last = np.array(ranges, np.uint16).T
    return first[places], last[places]
