"""The audit in a report: all network namespaces together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from connscope.report.report import Audit, Plain
from connscope.tracker.audit import Report
from connscope.tracker.audit_verdict import Verdict

__all__ = ("summarize_audit",)


def summarize_audit(report: Report | None) -> Audit:
    """What `connscope.report.report.Audit` describes; empty where there is no audit."""
    if report is None:
        return {}
    window: dict[str, Plain] = {"seconds": round(report.window_s, 3)}
    if report.reason:
        return {"window": {**window, "reason": report.reason}}
    compared = [verdict for verdict in report.verdicts if verdict.comparisons]
    window["namespaces"] = len(compared)
    window["uncompared"] = sum(verdict.uncompared for verdict in report.verdicts)
    window |= Counter(str(verdict.state) for verdict in report.verdicts if verdict.state)
    return {**_counters(compared), "window": window}


def _counters(verdicts: Iterable[Verdict]) -> dict[str, dict[str, Plain]]:
    sums = dict[str, Counter[str]]()
    bounds = set[str]()
    for verdict in verdicts:
        for each in verdict.comparisons:
            found = sums.setdefault(each.rule.name, Counter())
            found["saw"] += each.saw
            found["counted"] += each.counted_least
            found["counted_most"] += each.counted_most
            found["surplus"] += each.surplus
            if not each.rule.is_exact:
                bounds.add(each.rule.name)
        for gap in verdict.gaps:
            sums[gap.counter][str(gap.cause)] += gap.missing
    return {name: _counter(found, name in bounds) for name, found in sums.items()}


def _counter(found: Counter[str], is_bound: bool) -> dict[str, Plain]:
    told: dict[str, Plain] = {"saw": found.pop("saw"), "counted": found.pop("counted")}
    most = found.pop("counted_most")
    if most != told["counted"]:
        told["counted_most"] = most
    told |= {name: count for name, count in found.items() if count}
    return {**told, "lower_bound": True} if is_bound else told
