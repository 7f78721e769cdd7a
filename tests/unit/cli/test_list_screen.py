"""What the screen of ``list --follow`` shows."""

from __future__ import annotations

import numpy as np
import pytest

from connscope.cli.choice import Choice
from connscope.cli.list_order import Order
from connscope.cli.list_screen import News, screen_lines
from connscope.cli.list_table import ListTable
from connscope.row.columns import ROW, Rows, lost_row
from connscope.row.selection import Selection
from connscope.row.words import Failure, Kind, State, Tier
from tests.unit.cli.list_rows import NOW_NS, SECOND_NS, connection, listener, time_wait

TABLE = ListTable(wide=False, numeric=True, listeners=False)
NOTHING = np.zeros(0, ROW)
EVERYTHING = Choice(Selection())


@pytest.fixture(autouse=True)
def no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    """Marks alone; the test that wants colours takes this back."""
    monkeypatch.setenv("NO_COLOR", "1")


def ended(kind: Kind, seconds_ago: int = 1, **columns: object) -> Rows:
    """The event of an end."""
    return connection(**{"kind": kind, "time_ns": NOW_NS - seconds_ago * SECOND_NS, **columns})


def shown(rows: Rows, *, lost: int = 0, size: tuple[int, int] = (80, 24)) -> list[str]:
    """The lines below the time."""
    return screen_lines(rows, lost, Order(), TABLE, size)


def kinds(rows: Rows) -> list[Kind]:
    """What happened, row by row."""
    return [Kind(kind) for kind in rows["kind"].tolist()]


@pytest.mark.parametrize("kind", [Kind.CLOSED, Kind.FAILED, Kind.UNLISTENED])
def test_what_ended_stays_for_three_seconds(kind: Kind):
    """So that somebody can read it."""
    news = News(EVERYTHING)
    news.take(ended(kind, seconds_ago=1))
    assert kinds(news.add_to(NOTHING, NOW_NS)) == [kind]
    assert kinds(news.add_to(NOTHING, NOW_NS + 3 * SECOND_NS)) == []


def test_what_opened_is_new_for_three_seconds():
    """It is told by its own time, so nothing is new only because we came."""
    rows = np.concatenate(
        (
            connection(connection_id=1, opened_ns=NOW_NS - SECOND_NS),
            connection(connection_id=2, opened_ns=NOW_NS - 4 * SECOND_NS),
            connection(connection_id=3, opened_ns=0),
        )
    )
    found = kinds(News(EVERYTHING).add_to(rows, NOW_NS))
    assert found == [Kind.OPENED, Kind.SNAPSHOT, Kind.SNAPSHOT]


def test_nothing_is_open_and_closed():
    """What closes while a look is made is in both; it is shown once."""
    news = News(EVERYTHING)
    news.take(ended(Kind.CLOSED, connection_id=5))
    rows = news.add_to(np.concatenate((connection(connection_id=5), time_wait())), NOW_NS)
    assert kinds(rows) == [Kind.CLOSED, Kind.SNAPSHOT]


def test_other_events_are_no_news():
    """What opened is in the look."""
    news = News(EVERYTHING)
    news.take(np.concatenate((ended(Kind.OPENED), ended(Kind.ACCEPTED), ended(Kind.LISTENING))))
    assert len(news.add_to(NOTHING, NOW_NS)) == 0


def test_what_is_not_chosen_is_no_news():
    """The choice is for events too."""
    news = News(Choice(Selection(pids=(1,))))
    news.take(ended(Kind.CLOSED))
    assert len(news.add_to(NOTHING, NOW_NS)) == 0


def test_lost_events_are_counted():
    """And told in the first line."""
    news = News(EVERYTHING)
    news.take(lost_row(3, NOW_NS, Tier.BTF))
    news.take(lost_row(4, NOW_NS, Tier.BTF))
    assert news.lost == 7
    assert "7 events lost" in shown(NOTHING, lost=7)[0]


def test_memory_of_ends_is_bounded():
    """A thousand are more than any screen has lines."""
    news = News(EVERYTHING)
    for _ in range(3):
        news.take(np.concatenate([ended(Kind.CLOSED)] * 500))
    assert len(news.add_to(NOTHING, NOW_NS)) == 1000


def test_marks_stand_first():
    """What happened is marked and comes before what only is."""
    rows = np.concatenate(
        (
            connection(connection_id=1),
            ended(Kind.CLOSED),
            ended(Kind.FAILED, failure=Failure.TIMEOUT, state=State.CLOSE),
            connection(connection_id=2, kind=Kind.OPENED),
        )
    )
    starts = sorted(" ".join(line.split()[:2]) for line in shown(rows)[2:5])
    assert starts == ["! timeout", "+ established", "- closed"]
    assert shown(rows)[5].startswith("  established")


def test_first_line_counts():
    """How many are in which state, and what happened."""
    rows = np.concatenate((connection(), listener(), time_wait(), ended(Kind.CLOSED)))
    told = shown(rows)[0]
    assert "1 established  1 listening  1 other  1 closed (-)  q quits" in told


@pytest.mark.parametrize("height", [3, 4, 10])
def test_as_many_lines_as_the_screen_has(height: int):
    """What has no room is counted in the last line."""
    rows = np.concatenate([connection(connection_id=place) for place in range(1, 31)])
    lines = shown(rows, size=(80, height))
    assert len(lines) == height
    assert lines[-1].strip() == f"{30 - (height - 3)} more"


def test_colours_are_an_offer(monkeypatch: pytest.MonkeyPatch):
    """With NO_COLOR there is none, without it marked lines have one and give it back."""
    row = ended(Kind.FAILED)
    assert "\x1b" not in shown(row)[2]
    monkeypatch.delenv("NO_COLOR")
    assert shown(row)[2].startswith("\x1b[31m! ")
    assert shown(row)[2].endswith("\x1b[0m")
