"""Each tier keeps its contract when a connect fails or a peer is gone, and claims no more."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from connscope.row.words import Failure, Group, Kind, OwnerEvidence, Role, Tier
from tests.kernel.held_traffic import Play, hold
from tests.kernel.promised_rows import assert_promises_kept
from tests.kernel.promises import Told, play, told_of
from tests.kernel.recorder import Recorder, describe
from tests.kernel.tiers_here import SEES_ALL
from tests.kernel.traffic.agreement import rows_of
from tests.surroundings import FAMILIES
from tests.traffic.namespace import Namespace, forget_nft, nft
from tests.traffic.party import Party, connect, loopback, new_socket
from tests.traffic.report import End

USER_TIMEOUT_MS = 100
NOTHING = Group(0)
ALWAYS = Group.IDENTITY | Group.ENDS | Group.OWNER | Group.QUALITY | Group.LIFE
SOMEWHERE_ELSE = ("10.9.8.7", 4713)


def bound(v6: int = 0) -> socket.socket:
    """A socket with a port of its own, by which its row is found."""
    made = new_socket(socket.AF_INET6 if v6 else socket.AF_INET)
    made.bind((loopback(v6), 0))
    return made


def refused(v6: int = 0) -> Iterator[End]:
    """Nobody listens there."""
    with bound(v6) as nobody, bound(v6) as client:
        address = nobody.getsockname()[:2]
        party = Party(client, "client", address)
        assert client.connect_ex(address) == errno.ECONNREFUSED
        yield party.end("refused")


def refused6() -> Iterator[End]:
    """The same with IPv6."""
    return refused(v6=1)


def unreachable() -> Iterator[End]:
    """A network without a way out."""
    with Namespace(), new_socket(socket.AF_INET) as client:
        client.bind(("", 0))
        party = Party(client, "client", SOMEWHERE_ELSE)
        assert client.connect_ex(SOMEWHERE_ELSE) == errno.ENETUNREACH
        yield party.end("unreachable")


FAILURES: dict[str, tuple[Play, Failure, int]] = {
    "refused": (refused, Failure.REFUSED, errno.ECONNREFUSED),
    **({"refused, IPv6": (refused6, Failure.REFUSED, errno.ECONNREFUSED)} if 1 in FAMILIES else {}),
    "refused with data": (play("fast_open_refused"), Failure.REFUSED, errno.ECONNREFUSED),
    "unreachable": (unreachable, Failure.UNREACHABLE, 0),
    "timeout": (play("syn_dropped", syns=1), Failure.TIMEOUT, errno.ETIMEDOUT),
    "abandoned": (play("accept_queue_overflow"), Failure.ABANDONED, 0),
}
"""What fails, its word, its errno; that of no route is nowhere to be read, the word is inferred."""


@pytest.fixture(scope="module")
def failures(each_tier: Recorder) -> Told:
    """What each tier tells of all failures, made at the same time."""
    return told_of(each_tier, *(each for each, _, _ in FAILURES.values()))


def failed_ends(told: Told, name: str) -> list[End]:
    """Those of one failure; each is made by a process of its own."""
    pid = list(told.traffic.process_start_ns)[list(FAILURES).index(name)]
    found = [end for end in told.traffic.ends if end.pid == pid and end.outcome != "closed"]
    assert found
    return found


@pytest.mark.parametrize("name", FAILURES)
def test_failed_connect(failures: Told, name: str) -> None:
    """One row with its word, errno and owner where failures are told; else none at all."""
    for end in failed_ends(failures, name):
        rows = rows_of(failures.rows, end, *Kind)
        if failures.tier in SEES_ALL:
            (row,) = rows
            check_failed(row, end, name, is_returned=failures.tier == Tier.KPROBE)
        else:
            assert not len(rows), describe(rows)


def check_failed(row: Any, end: End, name: str, *, is_returned: bool) -> None:
    """What is inferred says that it is; of a tier that sees connect() return nothing is."""
    _, failure, error = FAILURES[name]
    if failure == Failure.UNREACHABLE and is_returned:
        error = errno.ENETUNREACH
    exact = Group(int(row["exact"]))
    assert (row["kind"], row["failure"], row["error"]) == (Kind.FAILED, failure, error)
    assert (row["pid"], row["owner_evidence"]) == (end.pid, OwnerEvidence.CONNECT)
    assert (row["role"], row["netns"]) == (Role.CLIENT, end.netns)
    assert (row["bytes_sent"], row["bytes_received"]) == (end.sent, 0)
    is_inferred = failure == Failure.UNREACHABLE and not is_returned
    inferred = Group.QUALITY | Group.LIFE if is_inferred else NOTHING
    assert exact & ALWAYS == ALWAYS & ~inferred
    assert 0 < row["opened_ns"] < row["closed_ns"]


def cut_off() -> Iterator[End]:
    """The client sends into a network that is gone, until it gives up."""
    with Namespace():
        client, server = connect()
        hold()
        nft("filter", "input", "meta l4proto tcp drop")
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
        client.send(10)
        client.wait_for_reset()
        yield client.close()
        forget_nft()
        yield server.reset()


def test_peer_that_is_cut_off(each_tier: Recorder) -> None:
    """Time has ended it; what was never acknowledged was sent all the same."""
    told = told_of(each_tier, cut_off)

    assert_promises_kept(told, "cut_off")
