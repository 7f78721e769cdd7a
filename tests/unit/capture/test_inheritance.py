"""Who listens is taken for who will accept."""

from __future__ import annotations

import numpy as np

from connscope.capture.inheritance import give_listeners_owner
from connscope.row.columns import Rows
from connscope.row.words import Group, OwnerEvidence, Protocol, Role, State
from tests.unit.sample_rows import one_row


def listener(port: int, pid: int, netns: int = 1) -> Rows:
    """A listening socket."""
    return one_row(
        state=State.LISTEN, role=Role.SERVER, local_port=port, pid=pid, netns=netns, comm=b"srv"
    )


def child(port: int, netns: int = 1, **columns: int) -> Rows:
    """A connection of the server side that nobody holds."""
    given = {"state": State.ESTABLISHED, "role": Role.SERVER, "pid": 0, "known": 0, **columns}
    return one_row(local_port=port, netns=netns, comm=b"", **given)


def owners(*rows: Rows) -> list[int]:
    """The pids afterwards."""
    together = np.concatenate(rows)
    give_listeners_owner(together)
    return [int(pid) for pid in together["pid"]]


def test_child_has_its_listeners_owner() -> None:
    """Of its own port and namespace; it is known and not exact."""
    rows = np.concatenate((listener(80, 7), listener(81, 8), listener(80, 9, netns=2), child(80)))
    give_listeners_owner(rows)
    heir = rows[3]
    assert (heir["pid"], heir["owner_evidence"]) == (7, OwnerEvidence.LISTENER)
    assert heir["comm"].tobytes().startswith(b"srv")
    assert Group.OWNER in Group(int(heir["known"]))
    assert Group.OWNER not in Group(int(heir["exact"]))


def test_two_listeners_of_one_process_are_one_owner() -> None:
    """IPv4 and IPv6, each with a socket of its own."""
    assert owners(listener(80, 7), listener(80, 7), child(80)) == [7, 7, 7]


def test_nothing_is_guessed_among_several() -> None:
    """Two processes share the port."""
    assert owners(listener(80, 7), listener(80, 8), child(80)) == [7, 8, 0]


def test_others_are_left_alone() -> None:
    """Clients, what has an owner, other ports and namespaces; no listener at all."""
    client = child(80, role=Role.CLIENT)
    assert owners(listener(80, 7), client, child(80, pid=5), child(81), child(80, netns=2)) == [
        7,
        0,
        5,
        0,
        0,
    ]
    assert owners(child(80)) == [0]


def test_udp_flows_have_no_listener() -> None:
    """What a socket of the kernel's own receives is not of who listens on that port by TCP."""
    assert owners(listener(53, 7), child(53, protocol=Protocol.UDP)) == [7, 0]
    assert owners(listener(53, 7), child(53, protocol=Protocol.TCP)) == [7, 7]
