"""The audit as text."""

from __future__ import annotations

import json

import pytest

from connscope.capture.tier import Losses
from connscope.cli.audit_lines import audit_json, audit_line, audit_table, level_json, level_line
from connscope.tracker.audit import Report
from connscope.tracker.audit_look import Level
from connscope.tracker.audit_verdict import Cause, Circumstances, Verdict, judge
from tests.unit.tracker.audit_edges import counters, edge, seen

START = edge(0.0, seen(), counters())
FINE = judge(
    4026531840,
    START,
    edge(12.4, seen(active=10_000, passive=411), counters(ActiveOpens=10_000, PassiveOpens=411)),
    Circumstances(),
)
LOSSY = judge(
    4026531841,
    START,
    edge(
        12.4,
        seen(active=80, resets=5),
        counters(ActiveOpens=100, EstabResets=6, AttemptFails=4, ListenDrops=7),
        under_way=(2, 0),
    ),
    Circumstances(lost_rows=900),
)
BUSY = judge(
    4026531842,
    START,
    edge(12.4, seen(active=8), counters(ActiveOpens=7), counters(ActiveOpens=9)),
    Circumstances(),
)
GONE = Verdict(4026531843, 0.0, (), (), {}, Cause.DELETED, 5)


def report(*verdicts: Verdict, reason: str = "") -> Report:
    """After 12.44 s."""
    return Report(12.44, verdicts, Losses(rows=900), reason)


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (
            report(FINE),
            "saw 10,411 of 10,411 connections the kernel counted (1 namespace, 12.4 s)",
        ),
        (
            report(FINE, LOSSY),
            "saw 10,491 of 10,511 connections the kernel counted (2 namespaces, 12.4 s)"
            "; 2 still under way; 18 lost because the ring was full (ring_bytes)"
            "; 1 of EstabResets lost because the ring was full (ring_bytes)",
        ),
        (
            report(BUSY),
            "saw 8 of 7 to 9 connections the kernel counted (1 namespace, 12.4 s)",
        ),
        (
            report(FINE, *[GONE] * 5),
            "saw 10,411 of 10,411 connections the kernel counted (1 namespace, 12.4 s)"
            "; 25 connections not compared: namespace 4026531843, 4026531843, 4026531843 and 2 "
            "more has no process and no mount any more",
        ),
        (report(FINE, reason="procfs is told of no connects"), "procfs is told of no connects"),
    ],
)
def test_line(found: Report, line: str):
    """Seen of counted, then the cause of each gap, then what was not compared."""
    assert audit_line(found) == f"audit: {line}"


def test_surplus_is_said():
    """More rows than the kernel counted is a mistake of ours."""
    found = judge(1, START, edge(1.0, seen(active=3), counters(ActiveOpens=1)), Circumstances())
    assert audit_line(report(found)).endswith("; 2 more seen than ActiveOpens has")


def test_there_is_no_line_about_nothing():
    """Neither was anything counted nor told."""
    idle = judge(1, START, edge(1.0, seen(), counters()), Circumstances())
    assert audit_line(report(idle)) == ""


def test_table():
    """One line for each namespace, with spans, causes and what no row tells."""
    assert audit_table(report(FINE, LOSSY, BUSY, GONE)) == [
        "     NETNS WINDOW    SAW     OF   RATIO RESETS FAILS RETRANS GAPS",
        "4026531840 12.4 s 10,411 10,411 100.00%    0/0   0/0     0/0",
        "4026531841 12.4 s     80    100  80.00%    5/6   0/4     0/0 ActiveOpens: 2 still under "
        "way; ActiveOpens: 18 lost because the ring was full (ring_bytes); EstabResets: 1 lost "
        "because the ring was full (ring_bytes); TcpExtListenDrops: 7",
        "4026531842 12.4 s      8 7 to 9            0/0   0/0     0/0",
        f"4026531843{' ' * 51}5 not compared: has no process and no mount any more",
    ]


def test_table_says_why_there_is_none():
    """Instead of namespaces."""
    assert audit_table(report(reason="because")) == ["because"]


def test_json_is_one_object():
    """With each counter's numbers, and the causes as words."""
    found = json.loads(audit_json(report(LOSSY, GONE), "now"))
    assert (found["time"], found["window_s"], found["lost_rows"]) == ("now", 12.44, 900)
    lossy, gone = found["namespaces"]
    assert lossy["counters"]["ActiveOpens"] == {
        "bound": "exact",
        "saw": 80,
        "counted_least": 100,
        "counted_most": 100,
        "ratio": 0.8,
    }
    assert lossy["counters"]["AttemptFails"]["bound"] == "lower"
    assert lossy["gaps"][0] == {"counter": "ActiveOpens", "cause": "under_way", "missing": 2}
    assert lossy["notes"] == {"TcpExtListenDrops": 7}
    assert (gone["state"], gone["uncompared"], gone["counters"]) == ("deleted", 5, {})


LEVELS = (
    Level(1, 1000, 1000, 1000),
    Level(2, 5, 7, 8),
    Level(3, 9, 7, 8),
    Level(4, 2, None, None),
)


def test_level_line():
    """A look has no window: it says where it shows more or less, and what could not be read."""
    assert level_line(LEVELS) == (
        "audit: shows 1,014 of 1,014 to 1,016 connections that the kernel counts as established "
        "(3 namespaces); 2 missing in namespace 2; 1 more shown in namespace 3; "
        "2 in 1 namespace that could not be read"
    )


def test_level_json():
    """One object for each namespace."""
    first, *_ = level_json(LEVELS).splitlines()
    assert json.loads(first) == {
        "by": "audit",
        "netns": 1,
        "saw": 1000,
        "counted_least": 1000,
        "counted_most": 1000,
    }
