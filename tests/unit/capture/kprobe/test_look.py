"""The probe's rows and the dump's become one look."""

from __future__ import annotations

import numpy as np

from connscope.capture.kprobe.look import _joined, _last_of_each
from connscope.row.columns import ROW, Rows
from connscope.row.words import Group, OwnerEvidence, Protocol, Role, State, Tier
from tests.unit.sample_rows import one_row

NOTHING: Rows = np.empty(0, ROW)


def seen(cookie: int, **columns: int) -> Rows:
    """What the probe saw of a socket."""
    given = {"protocol": Protocol.TCP, "role": Role.CLIENT, "state": State.ESTABLISHED} | columns
    return one_row(
        socket_id=cookie, pid=0, known=0, exact=0, socket_inode=0, bytes_sent=70, **given
    )


def dumped(cookie: int, protocol: Protocol = Protocol.TCP, pid: int = 0) -> Rows:
    """What the dump says of it."""
    evidence = OwnerEvidence.FD_TABLE if pid else OwnerEvidence.UNKNOWN
    return one_row(
        socket_id=cookie, protocol=protocol, pid=pid, owner_evidence=evidence, socket_inode=500,
        bytes_sent=69, state=State.ESTABLISHED, role=Role.CLIENT,
    )  # fmt: skip


def test_counters_are_the_probes_and_the_inode_is_the_dumps() -> None:
    """The dump's bytes are an estimate."""
    (row,) = _joined(seen(3), dumped(3, pid=8))
    assert (row["bytes_sent"], row["socket_inode"], row["tier"]) == (70, 500, Tier.KPROBE)
    assert (row["pid"], row["owner_evidence"]) == (8, OwnerEvidence.FD_TABLE)
    assert row["known"] & Group.OWNER


def test_each_has_its_own() -> None:
    """Whatever their order; the look ascends."""
    rows = _joined(
        np.concatenate((seen(9), seen(4), seen(7))),
        np.concatenate((dumped(4, pid=40), dumped(7, pid=70), dumped(9, pid=90))),
    )
    assert rows["socket_id"].tolist() == [4, 7, 9]
    assert rows["pid"].tolist() == [40, 70, 90]


def test_what_only_one_of_them_saw_is_left_out() -> None:
    """It came or went while the other one looked."""
    rows = _joined(np.concatenate((seen(3), seen(5))), np.concatenate((dumped(4), dumped(5))))
    assert rows["socket_id"].tolist() == [5]


def test_udp_sockets_are_the_dumps() -> None:
    """No probe asks about them."""
    (row,) = _joined(NOTHING, dumped(3, Protocol.UDP))
    assert (row["protocol"], row["tier"]) == (Protocol.UDP, Tier.KPROBE)


def test_nothing_there() -> None:
    """A machine without sockets, or whose last one has just gone."""
    assert not len(_joined(NOTHING, NOTHING))
    assert not len(_joined(seen(3), NOTHING))


def test_socket_that_was_asked_about_twice() -> None:
    """The later row counts."""
    rows = _last_of_each(np.concatenate((seen(3, rtt_us=1), seen(4), seen(3, rtt_us=2))))
    assert rows["socket_id"].tolist() == [3, 4]
    assert rows["rtt_us"][0] == 2
