"""Compares what a tier told with its contract and with what the applications counted.

Groups that the contract claims exact have both bits, and wherever a row has the exact bit it is the
truth. Estimates are known and within the bounds that are stated here. What the contract says is
unknown has no bit and no number. `extraordinary` has the exceptions.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connscope.capture.contract import CONTRACT, Certainty
from connscope.row.address import address_text
from connscope.row.columns import COLUMNS_OF
from connscope.row.words import (
    ClosedBy,
    Failure,
    Group,
    Kind,
    OwnerEvidence,
    Protocol,
    Role,
    State,
    Tier,
    word,
)
from tests.kernel.extraordinary import (
    ENDED_BY,
    ENDED_BY_DELAY,
    ERRORS,
    INSTEAD,
    OLDER,
    QUEUED,
    WIPED,
)
from tests.kernel.promises import Close, Told
from tests.kernel.recorder import comm
from tests.kernel.tiers_here import SEES_ALL
from tests.kernel.traffic.agreement import ROLES, rows_of

__all__ = ("assert_promises_kept",)

TICK_NS = 10**9 // os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, repr=False)
class Case:
    """One closed row, and all that is to be compared with it."""

    told: Told
    kind: str
    close: Close

    @property
    def row(self) -> Any:
        """What was told."""
        return self.close.row

    @property
    def known(self) -> Group:
        """The groups that it says are filled."""
        return Group(int(self.row["known"]))

    @property
    def exact(self) -> Group:
        """The groups that it says are the truth."""
        return Group(int(self.row["exact"]))

    @property
    def contract(self) -> dict[Group, Certainty | None]:
        """What is claimed of each group; None: nothing."""
        tier, role = self.told.tier, self.close.end.role
        found: dict[Group, Certainty | None] = {**CONTRACT[tier]}
        found |= INSTEAD.get((tier, self.kind, role), {})
        if self.told.older:
            found |= OLDER.get(tier, {})
        if tier == Tier.NETLINK and not self.told.looked:
            # What happened to be in a look has an owner, and its role is no guess.
            found |= {Group.OWNER: None, Group.ENDS: Certainty.ESTIMATED}
        if tier not in SEES_ALL and self.kind in QUEUED and role == "server":
            found |= {Group.OWNER: None}
        return found

    def __repr__(self) -> str:
        names = ("role", "bytes_sent", "bytes_received", "unread_bytes", "pid", "owner_evidence")
        told = {name: int(self.row[name]) for name in (*names, "closed_by", "error", "opened_ns")}
        masks = f"known {self.known!r}, exact {self.exact!r}"
        return f"{word(self.told.tier)} {self.kind}: {masks}, {told} {self.close.end}"


def assert_promises_kept(told: Told, kind: str) -> None:
    """Every close was told or counted as lost, and every row is what the contract claims.

    Args:
        told: of the traffic.
        kind: which traffic it was; for `extraordinary`.
    """
    closes = told.closes()
    for close in closes:
        case = Case(told, kind, close)
        check_masks(case)
        for group, check in CHECKS.items():
            if group in case.known:
                check(case)
    ids = [int(close.row["connection_id"]) for close in closes]
    assert len(set(ids) - {0}) == len(ids)
    check_isns(told, closes)
    assert told.looked is False or told.tier != Tier.PROCFS or not told.lost


def check_masks(case: Case) -> None:
    """Exact groups have both bits, estimated ones the one, unknown ones neither bit nor number."""
    assert case.exact in case.known
    assert case.row["tier"] == case.told.tier
    for group, certainty in case.contract.items():
        if certainty == Certainty.UNKNOWN:
            assert group not in case.known, (group, case)
        elif certainty is not None:
            assert group in case.known, (group, case)
            assert certainty == Certainty.ESTIMATED or group in case.exact, (group, case)
    for group, certainty in CONTRACT[case.told.tier].items():
        if certainty == Certainty.UNKNOWN:
            assert not any(case.row[name] for name in COLUMNS_OF[group]), (group, case)


def check_identity(case: Case) -> None:
    """Also an estimate is of the right socket, and of one connection from its begin to its end."""
    row, opened = case.row, case.close.opened
    if not opened:
        return
    begins = rows_of(case.told.rows, case.close.end, Kind.OPENED)
    if case.told.looked and len(begins):  # else a look may have met some of the same ends
        assert row["connection_id"] in begins["connection_id"], case
    if case.told.tier != Tier.PROCFS:
        assert row["socket_id"] == opened.cookie, case
    if case.told.looked:
        assert row["socket_inode"] in (opened.inode, 0), case


def check_ends(case: Case) -> None:
    """Addresses, ports, namespace and state are always true; the role where it is exact."""
    row, end = case.row, case.close.end
    for side, text in (("local", end.local), ("peer", end.peer)):
        host = address_text(row[f"{side}_address"].tobytes())
        told = f"[{host}]" if ":" in host else host
        assert f"{told}:{row[f'{side}_port']}" == text, case
    assert row["netns"] == end.netns
    assert row["family"] == (6 if end.local.startswith("[") else 4)
    assert (row["protocol"], row["state"]) == (Protocol.TCP, State.CLOSE)
    if case.told.tier == Tier.PROCFS:
        assert row["role"] == Role.UNKNOWN  # no file says it: the word for that is the truth
    elif Group.ENDS in case.exact:
        assert row["role"] == ROLES[end.role], case
    else:
        assert row["role"] in (ROLES[end.role], Role.UNKNOWN), case


def check_owner(case: Case) -> None:
    """Whoever is told is the owner, exact or not; and how that is known."""
    row, end, tier = case.row, case.close.end, case.told.tier
    assert row["pid"] == end.pid, case
    assert comm(row) == Path("/proc/self/comm").read_bytes().rstrip(b"\n")
    assert row["uid"] == os.getuid()
    started_ns = case.told.traffic.process_start_ns.get(end.pid)
    if started_ns:  # /proc counts in ticks
        assert 0 <= int(row["process_start_ns"]) - started_ns < TICK_NS, case
    events = {"client": OwnerEvidence.CONNECT, "server": OwnerEvidence.ACCEPT}
    evidence = {OwnerEvidence.FD_TABLE}
    if tier in SEES_ALL:
        older = {OwnerEvidence.CLOSE, OwnerEvidence.FD_TABLE}
        evidence = older if case.told.older else {events[end.role]}
    assert row["owner_evidence"] in evidence, case


def check_traffic(case: Case) -> None:
    """Exact bytes are those of the application. Of an estimate a FIN may be one byte; of a socket
    that was wiped it is what the last look showed."""
    row, end, opened = case.row, case.close.end, case.close.opened
    sent, received, unread = (
        int(row[f"{name}_bytes"] if name == "unread" else row[f"bytes_{name}"])
        for name in ("sent", "received", "unread")
    )
    arrived = end.received + end.unread
    if Group.TRAFFIC in case.exact:
        assert (sent, received, unread) == (end.sent, arrived, end.unread), case
        assert row["retransmits"] >= end.retransmits, case
    elif (case.kind, end.role) in WIPED:
        assert opened is not None
        assert opened.sent <= sent <= end.sent, case
        assert opened.received <= received <= arrived, case
    else:
        assert sent - end.sent in (0, 1), case
        assert abs(received - arrived) <= 1, case
        assert abs(unread - end.unread) <= 1, case


def check_quality(case: Case) -> None:
    """Who ended it where that is exact; round trip times that can be."""
    row, role = case.row, case.close.end.role
    assert row["failure"] == Failure.NONE
    assert row["min_rtt_us"] <= row["rtt_us"] + row["rtt_var_us"], case
    if Group.QUALITY not in case.exact:
        return
    by_delay = case.kind, role, State(int(row["left_state"]))
    ended_by = ENDED_BY_DELAY.get(by_delay) or ENDED_BY[case.kind].get(role)
    if ended_by:
        assert ClosedBy(int(row["closed_by"])) == ended_by, case
    assert row["error"] == ERRORS.get(ClosedBy(int(row["closed_by"])), 0), case
    if Group.LIFE in case.exact:
        assert (row["connect_us"] > 0) == (role == "client"), case


def check_life(case: Case) -> None:
    """It closed after the traffic began and before now; exact is also when it opened."""
    row, begin_ns = case.row, case.told.traffic.started_ns
    now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert begin_ns < row["closed_ns"] <= row["time_ns"] < now_ns, case
    if Group.LIFE in case.exact:
        assert begin_ns < row["opened_ns"] < row["closed_ns"], case
    else:
        assert row["opened_ns"] == 0, case  # that is in the opened row


def check_isns(told: Told, closes: list[Close]) -> None:
    """What one end sent first the other received first."""
    places = {(close.end.netns, close.end.local, close.end.peer): close for close in closes}
    if len(places) < len(closes):
        return
    for close in closes:
        other = places.get((close.end.netns, close.end.peer, close.end.local))
        if other and all(Group.JOIN in Group(int(one.row["exact"])) for one in (close, other)):
            assert close.row["isn_local"] == other.row["isn_peer"] != 0


CHECKS: dict[Group, Callable[[Case], None]] = {
    Group.IDENTITY: check_identity,
    Group.ENDS: check_ends,
    Group.OWNER: check_owner,
    Group.TRAFFIC: check_traffic,
    Group.QUALITY: check_quality,
    Group.LIFE: check_life,
}
