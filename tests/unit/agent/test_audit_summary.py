"""The audit of all network namespaces as a report tells it."""

from __future__ import annotations

from connscope.agent.audit_summary import summarize_audit
from connscope.capture.tier import Losses
from connscope.tracker.audit import Report
from connscope.tracker.audit_verdict import RULES, Cause, Comparison, Gap, Verdict

ACTIVE, PASSIVE, RESETS, FAILS, RETRANSMITS = range(len(RULES))


def verdict(
    *saw: tuple[int, int, int], gaps: tuple[Gap, ...] = (), state: Cause | None = None
) -> Verdict:
    """Of a namespace where each counter was seen so often, and counted at least and at most."""
    comparisons = tuple(Comparison(rule, *each) for rule, each in zip(RULES, saw, strict=True))
    return Verdict(1, 2.0, comparisons, gaps, {}, state)


def report(*verdicts: Verdict, reason: str = "") -> Report:
    """Of ten seconds."""
    return Report(10.0, verdicts, Losses(), reason)


NONE = (0, 0, 0)


def test_no_audit():
    """Where there is none, nothing is told."""
    assert summarize_audit(None) == {}


def test_namespaces_are_summed_up():
    """Counter by counter; what is missing by its cause."""
    gap = Gap("ActiveOpens", Cause.RING_LOSS, 2)
    first = verdict((3, 5, 5), NONE, NONE, NONE, NONE, gaps=(gap,))
    second = verdict((4, 4, 4), (1, 1, 1), NONE, NONE, NONE)
    told = summarize_audit(report(first, second))

    assert told["ActiveOpens"] == {"saw": 7, "counted": 9, "ring_loss": 2}
    assert told["PassiveOpens"] == {"saw": 1, "counted": 1}
    assert told["window"] == {"seconds": 10.0, "namespaces": 2, "uncompared": 0}


def test_span():
    """Where what was counted is not known exactly, both ends are told."""
    told = summarize_audit(report(verdict((3, 3, 5), NONE, NONE, NONE, NONE, state=Cause.BUSY)))

    assert told["ActiveOpens"] == {"saw": 3, "counted": 3, "counted_most": 5}
    assert told["window"]["busy"] == 1


def test_surplus_and_lower_bounds():
    """More seen than counted is told; and which counters are no measure of what is missing."""
    told = summarize_audit(report(verdict(NONE, (2, 1, 1), NONE, (0, 4, 4), NONE)))

    assert told["PassiveOpens"]["surplus"] == 1
    assert told["AttemptFails"] == {"saw": 0, "counted": 4, "lower_bound": True}


def test_nothing_can_be_compared():
    """The reason, and no counter."""
    told = summarize_audit(report(reason="netlink tells of no failures"))

    assert told == {"window": {"seconds": 10.0, "reason": "netlink tells of no failures"}}
