"""What the audit found, as a line, a table or JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence

from connscope.tracker.audit import Report
from connscope.tracker.audit_look import Level
from connscope.tracker.audit_verdict import CONNECTIONS, Cause, Comparison, Verdict

__all__ = ("audit_json", "audit_line", "audit_table", "level_json", "level_line")

NAMED_MAX = 3
"""So many namespaces are named in a line."""

TITLES = ("NETNS", "WINDOW", "SAW", "OF", "RATIO", "RESETS", "FAILS", "RETRANS", "GAPS")
WORDS = {
    Cause.UNDER_WAY: "still under way",
    Cause.RING_LOSS: "lost because the ring was full (ring_bytes)",
    Cause.NO_MEMORY: "of sockets not remembered for want of memory",
    Cause.TIER_CHANGE: "while another tier captured",
    Cause.UNEXPLAINED: "for no known cause",
}
STATES = {
    Cause.NOT_ENTERED: "may not be entered (CAP_SYS_ADMIN)",
    Cause.DELETED: "has no process and no mount any more",
    Cause.APPEARED: "was found later, what it had counted before is not known",
    Cause.BUSY: "counted on while it was read",
}
SPANS = (Cause.APPEARED, Cause.BUSY)
"""In these states there is a number that is not known exactly."""


def audit_line(report: Report) -> str:
    """One line for the end of a command; empty if nothing was counted, seen or hindered."""
    if report.reason:
        return f"audit: {report.reason}"
    verdicts = [each for each in report.verdicts if each.comparisons]
    saw = sum(each.saw for each in verdicts)
    least, most = (sum(each.counted[end] for each in verdicts) for end in (0, 1))
    remarks = [*_gaps(verdicts), *_surpluses(verdicts), *_states(report.verdicts)]
    if not saw and not most and not remarks:
        return ""
    line = (
        f"audit: saw {saw:,} of {_span(least, most)} connections the kernel counted "
        f"({_plural(len(verdicts), 'namespace')}, {report.window_s:.1f} s)"
    )
    return "; ".join([line, *remarks])


def _gaps(verdicts: Iterable[Verdict]) -> list[str]:
    """What is missing: of connections in total, of the other exact counters by name."""
    sums = Counter[tuple[str, Cause]]()
    for verdict in verdicts:
        places = {each.rule.name: place for place, each in enumerate(verdict.comparisons)}
        for gap in verdict.gaps:
            name = "" if places[gap.counter] < CONNECTIONS else f" of {gap.counter}"
            sums[name, gap.cause] += gap.missing
    return [f"{count:,}{name} {WORDS[cause]}" for (name, cause), count in sums.items()]


def _surpluses(verdicts: Iterable[Verdict]) -> list[str]:
    sums = Counter[str]()
    for verdict in verdicts:
        for each in verdict.comparisons:
            sums[each.rule.name] += each.surplus
    return [f"{count:,} more seen than {name} has" for name, count in sums.items() if count]


def _states(verdicts: Iterable[Verdict]) -> list[str]:
    """Namespaces of which not everything was compared, a remark for each reason."""
    found = dict[Cause, list[Verdict]]()
    for each in verdicts:
        if each.state in SPANS or (each.state and each.uncompared):
            found.setdefault(each.state, []).append(each)
    return [_state(cause, each) for cause, each in found.items()]


def _state(cause: Cause, verdicts: Sequence[Verdict]) -> str:
    named = ", ".join(str(each.netns) for each in verdicts[:NAMED_MAX])
    more = len(verdicts) - NAMED_MAX
    which = f"{named} and {more} more" if more > 0 else named
    count = sum(each.uncompared for each in verdicts)
    compared = f"{count:,} connections not compared: " if count else ""
    return f"{compared}namespace {which} {STATES[cause]}"


def _span(least: int, most: int) -> str:
    return f"{most:,}" if least == most else f"{least:,} to {most:,}"


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def audit_table(report: Report) -> list[str]:
    """Lines for people: one for each namespace, or why there are none."""
    if report.reason:
        return [report.reason]
    cells = [TITLES, *(_cells(each) for each in report.verdicts)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)][:-1]
    lines = []
    for *columns, gaps in cells:
        aligned = [text.rjust(width) for text, width in zip(columns, widths, strict=True)]
        lines.append(" ".join([*aligned, gaps]).rstrip())
    return lines


def _cells(verdict: Verdict) -> tuple[str, ...]:
    netns, state = str(verdict.netns), STATES.get(verdict.state, "") if verdict.state else ""
    if verdict.uncompared:
        state = f"{verdict.uncompared:,} not compared: {state}"
    if not verdict.comparisons:
        return (netns, *[""] * (len(TITLES) - 2), state)
    gaps = [f"{gap.counter}: {gap.missing:,} {WORDS[gap.cause]}" for gap in verdict.gaps]
    gaps += [f"{name}: {count:,}" for name, count in verdict.notes.items()]
    least, most = verdict.counted
    ratio = f"{verdict.saw / most:.2%}" if least == most and most else ""
    return (
        netns,
        f"{verdict.window_s:.1f} s",
        f"{verdict.saw:,}",
        _span(least, most),
        ratio,
        *(_counter(each) for each in verdict.comparisons[CONNECTIONS:]),
        "; ".join([*gaps, *([state] if state else [])]),
    )


def _counter(each: Comparison) -> str:
    return f"{each.saw:,}/{_span(each.counted_least, each.counted_most).replace(' to ', '-')}"


def audit_json(report: Report, time: str) -> str:
    """One object on one line.

    Args:
        time: when, as text.
    """
    answer = {
        "time": time,
        "window_s": round(report.window_s, 3),
        "lost_rows": report.losses.rows,
        "reason": report.reason,
        "namespaces": [_object(each) for each in report.verdicts],
    }
    return json.dumps(answer)


def _object(verdict: Verdict) -> dict[str, object]:
    return {
        "netns": verdict.netns,
        "window_s": round(verdict.window_s, 3),
        "saw": verdict.saw,
        "counted_least": verdict.counted[0],
        "counted_most": verdict.counted[1],
        "state": verdict.state,
        "uncompared": verdict.uncompared,
        "counters": {each.rule.name: _comparison(each) for each in verdict.comparisons},
        "gaps": [gap._asdict() for gap in verdict.gaps],
        "notes": dict(verdict.notes),
    }


def _comparison(each: Comparison) -> dict[str, object]:
    return {
        "bound": "exact" if each.rule.is_exact else "lower",
        "saw": each.saw,
        "counted_least": each.counted_least,
        "counted_most": each.counted_most,
        "ratio": each.ratio,
    }


def level_line(levels: Sequence[Level]) -> str:
    """One line: a look compared with CurrEstab of each namespace."""
    read = [each for each in levels if each.counted_most is not None]
    saw, least = sum(each.saw for each in read), sum(each.counted_least or 0 for each in read)
    most = sum(each.counted_most or 0 for each in read)
    line = (
        f"audit: shows {saw:,} of {_span(least, most)} connections that the kernel counts as "
        f"established ({_plural(len(read), 'namespace')})"
    )
    unread = [each for each in levels if each.counted_most is None and each.saw]
    remarks = [
        f"{each.missing or each.surplus:,} {'missing' if each.missing else 'more shown'} in "
        f"namespace {each.netns}"
        for each in read
        if each.missing or each.surplus
    ]
    if unread:
        count = sum(each.saw for each in unread)
        remarks.append(f"{count:,} in {_plural(len(unread), 'namespace')} that could not be read")
    return "; ".join([line, *remarks])


def level_json(levels: Iterable[Level]) -> str:
    """One object a line for each namespace."""
    return "".join(f"{json.dumps({'by': 'audit', **each._asdict()})}\n" for each in levels)
