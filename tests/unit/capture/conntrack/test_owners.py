"""Which socket a flow is of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from connscope.capture.conntrack.owners import KnownSockets
from connscope.row.columns import NO_UID, Rows
from connscope.row.words import Group, OwnerEvidence, Protocol
from tests.unit.sample_rows import one_row

NETNS = 7
PEER: dict[str, Any] = {"peer_address": "10.0.0.2", "peer_port": 53}


def udp_socket(address: str, pid: int = 9, port: int = 1000, **columns: Any) -> Rows:
    """In a look: without a peer, unless it is given."""
    family = 6 if ":" in address else 4
    nobody = {"peer_address": "::" if family == 6 else "0.0.0.0", "peer_port": 0}
    columns = {"netns": NETNS, "protocol": Protocol.UDP, **nobody, **columns}
    owner = {"pid": pid, "owner_evidence": OwnerEvidence.FD_TABLE, "comm": b"who", "uid": pid + 100}
    given = owner if pid else {"uid": 5}
    return one_row(
        local_address=address,
        local_port=port,
        family=family,
        known=Group.OWNER if pid else 0,
        socket_inode=pid + 1,
        **given,
        **columns,
    )


def flow(address: str = "10.0.0.1", **columns: Any) -> Rows:
    """To 10.0.0.2:53."""
    columns = {"netns": NETNS, "protocol": Protocol.UDP, "family": 4, **PEER, **columns}
    return one_row(local_address=address, local_port=1000, **columns)


def found(of: Rows, *sockets: Rows) -> tuple[Any, bool]:
    """The row, whether it has a socket."""
    known = KnownSockets(np.concatenate(sockets) if sockets else np.empty(0, of.dtype))
    rows = of.copy()
    return rows[0], bool(known.fill(rows)[0])


def test_bound_socket_gives_its_owner():
    """By its address and port; which of its flows it is, a socket does not say."""
    row, has_socket = found(flow(), udp_socket("10.0.0.1"))
    assert has_socket
    assert (row["pid"], row["uid"], row["owner_evidence"]) == (9, 109, OwnerEvidence.FD_TABLE)
    assert (row["known"], row["exact"], row["socket_inode"]) == (Group.OWNER, 0, 0)


def test_connected_socket_is_the_one():
    """Before one that is bound to the same; and its inode is that of the flow."""
    row, has_socket = found(flow(), udp_socket("10.0.0.1", 8), udp_socket("10.0.0.1", 9, **PEER))
    assert (has_socket, row["pid"], row["socket_inode"]) == (True, 9, 10)


def test_bound_comes_before_any():
    """As the kernel chooses."""
    row, *_ = found(flow(), udp_socket("0.0.0.0", 7), udp_socket("10.0.0.1", 8))
    assert row["pid"] == 8


@pytest.mark.parametrize("any_address", ["0.0.0.0", "::"])
def test_any_address_takes_ipv4(any_address: str):
    """A socket of IPv6 takes it too."""
    row, has_socket = found(flow(), udp_socket(any_address))
    assert (row["pid"], has_socket) == (9, True)


def test_ipv6_is_taken_by_ipv6_alone():
    """0.0.0.0 does not hear it."""
    row, has_socket = found(flow("fd00::1", family=6), udp_socket("0.0.0.0"))
    assert (row["pid"], has_socket) == (0, False)


@pytest.mark.parametrize(
    "other",
    [
        udp_socket("10.0.0.9"),
        udp_socket("10.0.0.1", port=1001),
        udp_socket("10.0.0.1", netns=8),
        udp_socket("10.0.0.1", protocol=Protocol.TCP),
        udp_socket("10.0.0.1", peer_address="10.0.0.3", peer_port=53),
        udp_socket("10.0.0.1", peer_address="10.0.0.2", peer_port=54),
    ],
    ids=["address", "port", "namespace", "protocol", "peer", "peer's port"],
)
def test_other_sockets_are_not_it(other: Rows):
    """Each differs in one thing."""
    row, has_socket = found(flow(), other)
    assert (row["pid"], row["uid"], has_socket) == (0, NO_UID, False)


def test_nothing_is_guessed_among_several():
    """Two processes share a port: some socket hears it, nobody knows whose."""
    row, has_socket = found(flow(), udp_socket("10.0.0.1", 8), udp_socket("10.0.0.1", 9))
    assert (row["pid"], row["known"], has_socket) == (0, 0, True)


def test_several_sockets_of_one_process_are_one_owner():
    """SO_REUSEPORT in one process."""
    row, *_ = found(flow(), udp_socket("10.0.0.1", 8), udp_socket("10.0.0.1", 8))
    assert row["pid"] == 8


def test_nobody_knows_a_socket_without_a_process():
    """It is a socket all the same."""
    row, has_socket = found(flow(), udp_socket("10.0.0.1", 0))
    assert (row["known"], row["uid"], has_socket) == (0, 5, True)
    row, *_ = found(flow(), udp_socket("10.0.0.1", 0), udp_socket("10.0.0.1", 0))
    assert row["uid"] == NO_UID


def test_before_any_look():
    """No socket is known."""
    assert not found(flow())[1]
