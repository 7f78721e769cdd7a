"""What a report says about how well its host is watched, in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from connscope.row.columns import ROW
from connscope.row.words import Group, word
from connscope.server.health import make_health
from connscope.server.host import Health
from tests.unit.server.reports import Machine, client, listener

NO_ROWS = np.empty(0, ROW)
ALL_EXACT = dict.fromkeys((word(group) for group in Group), "exact")


def health(rows: Any = NO_ROWS, before: Health | None = None, **look: Any) -> Health:
    """That of a host whose last look was this."""
    return make_health(Machine().look(**look), rows, before or Health())


def audited(**audit: dict[str, Any]) -> Health:
    """That of a host with this audit."""
    return health(audit=audit)


def test_groups_are_what_the_tier_promises():
    """A machine on which nothing but a listener is there knows its traffic all the same."""
    rows = listener(known=Group.ENDS, exact=Group.ENDS)
    assert health(rows, groups=ALL_EXACT).groups == ALL_EXACT


def test_group_that_a_sender_does_not_tell_is_unknown():
    """It may be older than the group."""
    assert health(groups={"ends": "exact"}).groups == ALL_EXACT | dict.fromkeys(
        ("identity", "owner", "traffic", "quality", "life", "join"), "unknown"
    )


def test_groups_of_an_older_sender_are_read_off_rows():
    """What all rows have exactly is exact."""
    assert health(client(exact=Group.ENDS)).groups["ends"] == "exact"
    assert health(client(exact=Group.ENDS)).groups["owner"] == "estimated"


def test_groups_stay_when_an_older_sender_tells_of_no_rows():
    """Nothing changed, so nothing is known less."""
    assert health(before=Health(groups=ALL_EXACT)).groups == ALL_EXACT


def test_both_ends_are_compared():
    """What active and passive opens saw and counted, together."""
    found = audited(
        ActiveOpens={"saw": 98, "counted": 100, "ring_loss": 2},
        PassiveOpens={"saw": 1000, "counted": 1000},
        RetransSegs={"saw": 0, "counted": 9, "lower_bound": True},
    )
    assert found.audit == "saw 1,098 of 1,100 connections"
    assert found.completeness == 1098 / 1100


def test_span_has_no_share():
    """A ratio of what nobody knows would be wrong."""
    found = audited(
        ActiveOpens={"saw": 98, "counted": 97, "counted_most": 99},
        PassiveOpens={"saw": 4, "counted": 4},
    )
    assert found.audit == "saw 102 of 101 to 103 connections"
    assert found.completeness is None


def test_surplus_is_no_more_than_all():
    """Nobody saw more than there was."""
    assert audited(ActiveOpens={"saw": 5, "counted": 4, "surplus": 1}).completeness == 1.0


def test_namespaces_that_are_not_compared_are_told():
    """The share is of the others."""
    found = audited(
        ActiveOpens={"saw": 3, "counted": 3},
        window={"seconds": 9.0, "namespaces": 1, "deleted": 1, "uncompared": 2},
    )
    assert found.audit == ("saw 3 of 3 connections; 2 more are of namespaces that are not compared")


def test_reason_why_nothing_is_compared_is_told():
    """Tiers that are told of no connects compare nothing."""
    found = audited(window={"seconds": 1.0, "reason": "procfs is told of no connects"})
    assert found.audit == "not compared with the kernel: procfs is told of no connects"
    assert found.completeness is None


@pytest.mark.parametrize("value", ["many", None, -1, 10**30, 1e300, True])
def test_nonsense_is_no_count(value: Any):
    """Anybody with a token of one host may send anything."""
    found = audited(ActiveOpens={"saw": 1, "counted": value}, PassiveOpens={"saw": value})
    assert found.completeness in (None, 1.0)
