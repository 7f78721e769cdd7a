"""Each tier keeps its contract whatever the network does, and claims no more."""

from __future__ import annotations

import pytest

from connscope.row.columns import Rows
from connscope.row.words import Group, Kind, Protocol, Role, Tier
from tests.kernel.promised_rows import assert_promises_kept
from tests.kernel.promises import play, told_of
from tests.kernel.recorder import Recorder
from tests.kernel.tiers_here import SEES_ALL

SUBFLOWS = {"mptcp": 1, "mptcp_subflows": 2, "mptcp_join_refused": 1}


@pytest.mark.parametrize("kind", ["snat", "dnat", "redirect", "hairpin", "loss"])
def test_over(each_tier: Recorder, kind: str) -> None:
    """Translated on the way or lost: each end says what its application has counted."""
    assert_promises_kept(told_of(each_tier, play(kind), residents=True), kind)


def test_process_that_moved(each_tier: Recorder) -> None:
    """Without BPF a namespace is found by its processes: the one that it left is not."""
    told = told_of(each_tier, play("moved_namespace"))

    assert_promises_kept(told, "moved_namespace")
    assert len(told.claimed) == (4 if told.tier in SEES_ALL else 2)


def test_namespace_without_processes(each_tier: Recorder) -> None:
    """With BPF it is seen all the same; without, nothing is claimed and nothing is made up."""
    told = told_of(each_tier, play("deleted_namespace"))

    assert_promises_kept(told, "deleted_namespace")
    assert len(told.closes()) == (2 if told.tier in SEES_ALL else 0)
    (netns,) = {end.netns for end in told.traffic.ends}
    assert (told.tier in SEES_ALL) == (netns in told.rows["netns"])


@pytest.mark.parametrize("kind", SUBFLOWS)
def test_subflows(each_tier: Recorder, kind: str) -> None:
    """Each subflow is a connection with its own id; if its owner is known it is that of the MPTCP
    socket; that its bytes are exact is claimed by nobody."""
    told = told_of(each_tier, play(kind))
    end, count = told.traffic.ends[0], 2 * SUBFLOWS[kind]

    def closed_rows(rows: Rows) -> Rows:
        fresh = (rows["kind"] == Kind.CLOSED) & (rows["time_ns"] > told.traffic.started_ns)
        found: Rows = rows[fresh & (rows["netns"] == end.netns)]
        return found

    closed = closed_rows(each_tier.until(lambda rows: len(closed_rows(rows)) >= count))

    assert len(set(closed["connection_id"].tolist())) == len(closed) == count
    owned = (closed["known"] & Group.OWNER) > 0
    assert set(closed["pid"][owned].tolist()) == {end.pid}
    assert not closed["pid"][~owned].any()
    assert owned.sum() >= 2
    assert set(closed["protocol"].tolist()) == {Protocol.TCP}
    assert not (closed["exact"] & Group.TRAFFIC).any()
    roles = {Role.UNKNOWN} if told.tier == Tier.PROCFS else {Role.CLIENT, Role.SERVER}
    assert set(closed["role"].tolist()) <= roles
