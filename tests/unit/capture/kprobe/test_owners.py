"""Who owns a socket of which no probe told it, or not any more."""

from __future__ import annotations

import numpy as np
import pytest

from connscope.capture.kprobe import owners
from connscope.capture.kprobe.owners import OwnerMemory, settle_owners
from connscope.kernel.procfs.fd_walk import Held
from connscope.row.columns import Rows
from connscope.row.words import Group, Kind, OwnerEvidence, Role, State
from tests.unit.sample_rows import one_row

INODE = 77


def told(pid: int, evidence: OwnerEvidence = OwnerEvidence.CONNECT, **columns: int) -> Rows:
    """A socket with the owner that an event told."""
    bits = Group.OWNER if pid else 0
    given = {"kind": Kind.SNAPSHOT, "role": Role.CLIENT, "known": bits, "exact": bits, **columns}
    return one_row(pid=pid, owner_evidence=evidence, socket_id=1, connection_id=5, **given)


def held_by(pid: int) -> Rows:
    """The same socket in an fd table."""
    evidence = OwnerEvidence.FD_TABLE if pid else OwnerEvidence.UNKNOWN
    return told(pid, evidence, exact=0, socket_inode=INODE)


def settled(event: Rows, holder: Rows) -> tuple[int, int, bool]:
    """Owner, evidence, and whether that is exact."""
    settle_owners(event, holder)
    row = event[0]
    return int(row["pid"]), int(row["owner_evidence"]), bool(row["exact"] & Group.OWNER)


def test_who_connected_and_holds_it_is_the_owner() -> None:
    """Both say the same."""
    assert settled(told(7), held_by(7)) == (7, OwnerEvidence.CONNECT, True)


def test_who_is_in_no_fd_table_stays() -> None:
    """It is in flight, or he has just closed it."""
    assert settled(told(7), held_by(0)) == (7, OwnerEvidence.CONNECT, True)


def test_holder_of_what_no_event_told() -> None:
    """Of a socket that is older than us."""
    event = told(0, OwnerEvidence.UNKNOWN)
    assert settled(event, held_by(8)) == (8, OwnerEvidence.FD_TABLE, False)


def test_who_handed_it_on_is_the_owner_no_more() -> None:
    """The lowest pid that holds it is a higher one: his own table has it not."""
    assert settled(told(7), held_by(8)) == (8, OwnerEvidence.FD_TABLE, False)


@pytest.mark.parametrize(("inode", "owner"), [(INODE, 7), (INODE + 1, 3)])
def test_lower_pid_that_holds_it_too(
    inode: int, owner: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A parent that holds it with him does not own it; one that holds it alone does."""
    monkeypatch.setattr(
        owners, "walk_fds", lambda pids, _: (Held(pid, {inode: "3"}) for pid in pids)
    )
    assert settled(told(7), held_by(3))[0] == owner


def closed(**columns: int) -> Rows:
    """The end of that connection."""
    given = {"pid": 0, "known": 0, "exact": 0, "role": Role.CLIENT, "connection_id": 5, **columns}
    evidence = given.pop("owner_evidence", OwnerEvidence.UNKNOWN)
    return one_row(kind=Kind.CLOSED, socket_id=1, owner_evidence=evidence, **given)


def remembering(*rows: Rows) -> OwnerMemory:
    """With that as the last look."""
    memory = OwnerMemory()
    memory.remember(np.concatenate(rows))
    return memory


def test_end_without_owner_has_the_one_of_the_last_look() -> None:
    """A reset comes in nobody's name."""
    (row,) = remembering(held_by(8)).fill(closed())
    assert (row["pid"], row["owner_evidence"]) == (8, OwnerEvidence.FD_TABLE)
    assert row["known"] & Group.OWNER
    assert not row["exact"] & Group.OWNER


def test_another_connection_of_the_socket_has_not() -> None:
    """The cookie is the same, the id is not."""
    (row,) = remembering(held_by(8)).fill(closed(connection_id=6))
    assert row["pid"] == 0


@pytest.mark.parametrize(
    ("evidence", "owner"), [(OwnerEvidence.CONNECT, 8), (OwnerEvidence.CLOSE, 7)]
)
def test_end_of_what_was_handed_on(evidence: OwnerEvidence, owner: int) -> None:
    """Who connected has it no more; who closes it had it last."""
    (row,) = remembering(held_by(8)).fill(closed(pid=7, owner_evidence=evidence))
    assert row["pid"] == owner


def listening(pid: int, kind: Kind = Kind.LISTENING) -> Rows:
    """A listener on port 80."""
    state = State.LISTEN if kind == Kind.LISTENING else State.CLOSE
    return one_row(
        kind=kind, state=state, role=Role.SERVER, local_port=80, netns=1, pid=pid, socket_id=50
    )


def arrived() -> Rows:
    """A connection to it that nobody has accepted."""
    return one_row(
        kind=Kind.OPENED, state=State.ESTABLISHED, role=Role.SERVER, local_port=80, netns=1, pid=0,
        socket_id=51,
    )  # fmt: skip


def test_child_has_its_listeners_owner() -> None:
    """Of a listener of the same batch, or of an earlier one."""
    memory = OwnerMemory()
    assert memory.fill(np.concatenate((listening(9), arrived())))["pid"].tolist() == [9, 9]
    assert memory.fill(arrived())["pid"].tolist() == [9]


def test_child_of_a_listener_that_is_gone_has_none() -> None:
    """Its port may be somebody else's by now."""
    memory = OwnerMemory()
    memory.fill(np.concatenate((listening(9), listening(9, Kind.UNLISTENED))))
    assert memory.fill(arrived())["pid"].tolist() == [0]


def test_child_of_a_listener_that_ends_in_the_same_batch() -> None:
    """It was its child when it came."""
    memory = OwnerMemory()
    memory.fill(listening(9))
    rows = memory.fill(np.concatenate((arrived(), listening(9, Kind.UNLISTENED))))
    assert rows["pid"].tolist() == [9, 9]
    assert memory.fill(arrived())["pid"].tolist() == [0]


def test_events_are_changed_where_they_are() -> None:
    """No batch is copied: with 40 columns that takes longer than finding all owners."""
    events = arrived()
    assert remembering(listening(9)).fill(events) is events
    assert events["pid"].tolist() == [9]
