"""Reports between the two processes of an agent."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given

from connscope.agent.channel import Channel, make_channel
from connscope.report.report import Report
from tests.unit.report.reports import a_look, any_reports, content, table_of

from connscope.report.report import make_report  # isort: skip


def told(report: Report) -> Report | None:
    """The report as the other end has it."""
    ours, theirs = make_channel()
    sender = threading.Thread(target=ours.send, args=(report,))
    sender.start()
    received = theirs.receive()
    sender.join()
    for each in (ours, theirs):
        each.close()
    return received


@given(any_reports())
def test_comes_as_it_was(report):
    """All of it."""
    received = told(report)
    assert received
    assert content(received) == content(report)


def test_a_large_one_comes_in_pieces():
    """Two megabytes are more than a socket holds."""
    report = make_report(a_look(), 0, None, table_of(dict.fromkeys(range(1, 10_000), 1)))
    received = told(report)
    assert received
    assert content(received) == content(report)


def test_the_end_is_the_end():
    """Nothing more comes, whether between two reports or within one."""
    ours, theirs = make_channel()
    ours.close()
    assert theirs.receive() is None
    theirs.close()


def test_the_end_of_who_did_not_hear_all():
    """What was sent before comes all the same: the last report is of interest, too."""
    ours, theirs = make_channel()
    ours.send(make_report(a_look(), 3, 2, table_of({1: 1})))
    theirs.ask_full()
    ours.close()
    last = theirs.receive()
    assert last
    assert last.sequence == 3
    assert theirs.receive() is None
    theirs.close()


def test_half_of_a_report_is_none():
    """Its sender was killed."""
    ours, theirs = make_channel()
    ours._end.sendall(b"\x10" + b"\0" * 40)
    ours.close()
    assert theirs.receive() is None
    theirs.close()


def test_a_full_report_can_be_asked_for():
    """However often it is asked for, one is wanted."""
    ours, theirs = make_channel()
    assert not ours.is_full_wanted()
    for _ in range(3):
        theirs.ask_full()
    assert ours.is_full_wanted()
    assert not ours.is_full_wanted()
    ours.close()
    theirs.close()


def test_the_sender_hears_of_the_end():
    """There is nobody to report to."""
    ours, theirs = make_channel()
    theirs.close()
    with pytest.raises(ConnectionError):
        ours.is_full_wanted()
    with pytest.raises(OSError, match="Broken pipe"):
        ours.send(make_report(a_look(), 0, None, table_of({1: 1})))
    ours.close()


def test_who_takes_nothing_is_not_waited_for():
    """A process that was stopped would keep the capture from ever ending."""
    ours, theirs = make_channel()
    hasty = Channel(ours._end, patience_s=0.05)
    with pytest.raises(TimeoutError):
        hasty.send(make_report(a_look(), 0, None, table_of(dict.fromkeys(range(1, 9000), 1))))
    ours.close()
    theirs.close()


def test_end_wakes_who_waits():
    """From another thread."""
    ours, theirs = make_channel()
    threading.Timer(0.05, theirs.end).start()
    assert theirs.receive() is None
    ours.close()
    theirs.close()
