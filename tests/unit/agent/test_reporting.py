"""The process that sends: every report once and in order, whatever the server does."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connscope.agent import reporting as module
from connscope.agent.backoff import Backoff
from connscope.agent.channel import Channel, make_channel
from connscope.agent.destination import Answer, Destination
from connscope.agent.place import Place
from connscope.agent.reporting import Reporting
from connscope.agent.spool import Spool
from connscope.report.decode import Limits, decode
from connscope.report.delta import Deltas
from connscope.report.recording import read_reports
from connscope.report.report import make_report
from tests.unit.report.reports import a_look, table_of

LIMITS = Limits(encoded_bytes=1 << 24, decoded_bytes=1 << 26)
PATIENCE_S = 10


class Remote(Destination):
    """A server that answers what it is told to, TAKEN when there is nothing left to tell.

    Attributes:
        sequences: of the reports that came.
        ages_s: for how long each had waited.
        answers: what is said to the next ones.
    """

    def __init__(self, *answers: Answer, failing: Exception | None = None) -> None:
        super().__init__(Place("", "remote", 1, secure=False))
        self.answers, self.failing = list(answers), failing
        self.sequences, self.ages_s = list[int](), list[float]()
        self.is_away = False
        self.changed = threading.Condition()

    def send(self, report: bytes, age_s: float = 0.0) -> Answer:
        """Takes a note of it."""
        with self.changed:
            if self.failing:
                raise self.failing
            self.sequences.append(decode(report, LIMITS).sequence)
            self.ages_s.append(age_s)
            self.changed.notify_all()
            if self.is_away:
                return Answer.LATER
            return self.answers.pop(0) if self.answers else Answer.TAKEN

    def until(self, come: Callable[[list[int]], bool]) -> None:
        """Waits for what came."""
        with self.changed:
            assert self.changed.wait_for(lambda: come(self.sequences), PATIENCE_S), self.sequences


class Sender:
    """The other end: the process that captures."""

    def __init__(self, channel: Channel) -> None:
        self.channel, self._deltas = channel, Deltas()

    def report(self, count: int = 1) -> None:
        """So many reports."""
        for number in range(count):
            rows = table_of({number + 1: number})
            self.channel.send(self._deltas.next(a_look(), rows, rows[:0]))


@contextmanager
def reporting(
    remote: Remote, spool: Spool, record: io.BytesIO | None = None
) -> Iterator[tuple[Sender, threading.Thread]]:
    """It runs until the channel is closed."""
    ours, theirs = make_channel()
    backoff = Backoff(lambda: 0)
    backoff.failed = lambda: 0.01  # type: ignore[method-assign]
    sends = Reporting(theirs, remote, spool, record, backoff)
    thread = threading.Thread(target=sends.run)
    thread.start()
    try:
        yield Sender(ours), thread
    finally:
        ours.close()
        thread.join(PATIENCE_S)
        theirs.close()
    assert not thread.is_alive()


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """With room for all."""
    return Spool(tmp_path, 1 << 20)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a second."""
    monkeypatch.setattr(module, "REST_S", 0.01)
    monkeypatch.setattr(module, "LAST_PAUSE_S", 0.01)


def test_every_report_once_and_in_order(spool: Spool):
    """Also those that come while one is sent."""
    remote = Remote()
    with reporting(remote, spool) as (sender, _):
        sender.report(30)
    assert remote.sequences == list(range(30))


def test_the_last_one_is_sent_before_the_end(spool: Spool):
    """The channel was closed right behind it."""
    remote = Remote(Answer.SLOWER, Answer.LATER)
    with reporting(remote, spool) as (sender, _):
        sender.report()
    assert remote.sequences == [0, 0, 0]


def test_a_server_that_is_away_gets_all_when_it_is_back(
    spool: Spool, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    """In order, each of them taken once; on disk meanwhile; said once, not at each try."""
    remote = Remote()
    remote.is_away = True
    with reporting(remote, spool) as (sender, _):
        sender.report(5)
        remote.until(lambda came: len(came) > 4)
        assert len(list(tmp_path.iterdir())) > 0
        with remote.changed:
            remote.is_away = False
            remote.sequences.clear()
        remote.until(lambda came: came == [0, 1, 2, 3, 4])
    said = capfd.readouterr().err
    assert said.count("reports are kept until it is back") == 1
    assert said.count("is back") == 2
    assert not list(tmp_path.iterdir())


def test_a_gap_asks_for_a_full_report(spool: Spool):
    """And is not sent again: it would not fit a second time."""
    remote = Remote(Answer.TAKEN, Answer.NEEDS_FULL)
    with reporting(remote, spool) as (sender, _):
        sender.report(2)
        remote.until(lambda came: came == [0, 1])
        while not sender.channel.is_full_wanted():
            pass
        sender.report()
    assert remote.sequences == [0, 1, 2]


def test_one_that_is_refused_does_not_hold_up_the_others(
    spool: Spool, capfd: pytest.CaptureFixture[str]
):
    """It is said that it is lost."""
    remote = Remote(Answer.REFUSED)
    with reporting(remote, spool) as (sender, _):
        sender.report(2)
        remote.until(lambda came: came == [0, 1])
    assert "is lost" in capfd.readouterr().err


def test_a_server_that_has_had_enough_gets_it_again(spool: Spool):
    """A little later."""
    remote = Remote(Answer.SLOWER, Answer.SLOWER)
    with reporting(remote, spool) as (sender, _):
        sender.report(2)
        remote.until(lambda came: came == [0, 0, 0, 1])


def test_what_was_not_sent_is_there_for_the_next_agent(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The server did not come back in time."""
    monkeypatch.setattr(module, "LAST_TRIES_S", 0.05)
    remote = Remote()
    remote.is_away = True
    with reporting(remote, spool) as (sender, _):
        sender.report(3)
    next_one = Remote()
    with reporting(next_one, Spool(tmp_path, 1 << 20)):
        next_one.until(lambda came: came == [0, 1, 2])


def test_age_is_told_anew_with_each_try(spool: Spool):
    """It waited longer the second time."""
    remote = Remote(Answer.LATER, Answer.SLOWER)
    with reporting(remote, spool) as (sender, _):
        sender.report()
        remote.until(lambda came: len(came) == 3)
    assert 0 < remote.ages_s[0] < remote.ages_s[1] < remote.ages_s[2]


def test_a_report_larger_than_the_spool_is_counted(tmp_path: Path):
    """Those after it are sent, and a gap is seen by their sequence."""
    small, remote = Spool(tmp_path, 2000), Remote()
    ours, theirs = make_channel()
    large = make_report(a_look(), 0, None, table_of({n * 99991: n * n for n in range(1, 5000)}))
    sends = Reporting(theirs, remote, small)
    thread = threading.Thread(target=sends.run)
    thread.start()
    ours.send(large)
    ours.send(make_report(a_look(), 1, 0, table_of({})))
    remote.until(lambda came: came == [1])
    ours.close()
    thread.join(PATIENCE_S)
    theirs.close()
    assert small.dropped == 1


def test_a_recording_has_all_of_them(spool: Spool):
    """As they were sent."""
    record, remote = io.BytesIO(), Remote()
    with reporting(remote, spool, record) as (sender, _):
        sender.report(3)
    record.seek(0)
    assert [decode(each, LIMITS).sequence for each in read_reports(record)] == [0, 1, 2]


def test_a_full_disk_ends_the_recording_only(spool: Spool, capfd: pytest.CaptureFixture[str]):
    """It is said once; what is in it stays readable."""

    class Full(io.BytesIO):
        def write(self, content: object) -> int:
            raise OSError(28, "No space left on device")

    remote = Remote()
    with reporting(remote, spool, Full()) as (sender, _):
        sender.report(3)
    assert remote.sequences == [0, 1, 2]
    assert capfd.readouterr().err.count("the recording ends here: No space left") == 1


def test_without_its_sender_there_is_no_agent(spool: Spool):
    """The capturing process hears of it, instead of reporting into a hole for ever."""
    ours, theirs = make_channel()
    sends = Reporting(theirs, Remote(failing=ValueError("a bug")), spool)
    Sender(ours).report()
    with pytest.raises(ValueError, match="a bug"):
        sends.run()
    with pytest.raises(ConnectionError):
        ours.is_full_wanted()
    ours.close()
    theirs.close()
