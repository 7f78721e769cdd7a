"""What doctor finds out of conntrack, by trying."""

from __future__ import annotations

import pytest

from connscope.doctor.conntrack import WITHOUT_BYTES, try_conntrack
from connscope.doctor.examination import examine
from connscope.kernel.feature import Verdict
from tests.kernel.followed import RULE, FollowedNamespace, short_flow
from tests.unprivileged import told_without_privileges


@pytest.mark.parametrize("acct", [True, False])
def test_where_a_rule_needs_it(acct: bool) -> None:
    """It works, and whether bytes are counted is said."""
    with FollowedNamespace(RULE, acct=acct) as there, there.entered():
        outcome, _, note = try_conntrack()
    assert outcome.works
    assert note == ("" if acct else WITHOUT_BYTES)


def test_flows_that_are_older_than_the_accounting() -> None:
    """They have no bytes; those that begin now do, and that is what is asked."""
    with FollowedNamespace(RULE, acct=False) as there:
        with there.udp() as server:
            short_flow(there, server)
        there.set("netfilter/nf_conntrack_acct", 1)
        with there.entered():
            outcome, _, note = try_conntrack()
    assert outcome.works
    assert note == ""


def test_where_no_rule_needs_it() -> None:
    """The protocol answers, and nothing comes."""
    with FollowedNamespace("counter accept") as there, there.entered():
        outcome, *_ = try_conntrack()
    assert outcome.verdict == Verdict.NOT_SUPPORTED
    assert "no rule there needs it" in outcome.reason


def test_where_it_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not loaded for that."""
    monkeypatch.setattr("connscope.capture.conntrack.home.is_conntrack_loaded", lambda: False)
    outcome, *_ = try_conntrack()
    assert outcome.verdict == Verdict.NOT_SUPPORTED
    assert "nf_conntrack is not loaded" in outcome.reason


UNPRIVILEGED = """
import json
from connscope.doctor.conntrack import try_conntrack
outcome, *_ = try_conntrack()
print(json.dumps([outcome.verdict, outcome.missing]))
"""


def test_without_permission() -> None:
    """It says which capability is missing."""
    assert told_without_privileges(UNPRIVILEGED) == [Verdict.NOT_PERMITTED, ["CAP_NET_ADMIN"]]


def test_doctor_tells_it() -> None:
    """Beside the programs of btf, whether those work or not."""
    with FollowedNamespace() as there, there.entered():
        trials = examine().trials
    (trial,) = (one for one in trials if one.outcome.feature == "UDP flows by conntrack")
    assert trial.outcome.works
