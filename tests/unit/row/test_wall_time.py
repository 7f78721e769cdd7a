"""Times on the wall, with ``datetime`` as the judge."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.row.text_rows import TextRows
from connscope.row.wall_time import clock_texts, rfc3339_columns, rfc3339_text

SECOND_NS = 1_000_000_000
TIMES = st.lists(st.integers(0, 1 << 61), min_size=1, max_size=6)
OFFSETS = st.integers(0, 1 << 61)


def rfc3339(time_ns: int, offset_ns: int) -> str:
    """What the text has to be; datetime knows no nanoseconds."""
    seconds, nanoseconds = divmod(time_ns + offset_ns, SECOND_NS)
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z" if time_ns else ""


def rfc3339_texts(times_ns: npt.NDArray[np.uint64], offset_ns: int) -> list[str]:
    """The text of each time that is one."""
    lines = TextRows(len(times_ns))
    lines.add(*rfc3339_columns(times_ns, offset_ns), where=times_ns > 0)
    lines.add("\n")
    return lines.text().split("\n")[:-1]


@given(st.integers(1, 1 << 61), OFFSETS)
def test_one_text_is_that_of_the_column(time_ns, offset):
    """One time alone has the same text."""
    assert rfc3339_text(time_ns, offset) == rfc3339(time_ns, offset)


@given(TIMES, OFFSETS)
def test_rfc3339_agrees_with_datetime(times, offset):
    """Each time is its UTC second and nine digits; 0 is no time and has no text."""
    assert rfc3339_texts(np.array(times, np.uint64), offset) == [
        rfc3339(at, offset) for at in times
    ]


@given(TIMES, OFFSETS)
def test_clock_is_the_local_day(times, offset):
    """Each time is hours, minutes, seconds and milliseconds, as localtime has them, cut off."""
    wanted = []
    for at in times:
        seconds, rest = divmod(at + offset, SECOND_NS)
        clock = time.strftime("%H:%M:%S", time.localtime(seconds))
        wanted.append(f"{clock}.{rest // 1_000_000:03d}")
    assert clock_texts(np.array(times, np.uint64), offset) == wanted


@pytest.fixture
def kathmandu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose local time is 5:45 ahead of UTC."""
    monkeypatch.setenv("TZ", "NPT-5:45")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_only_the_clock_is_local(kathmandu: None):
    """RFC 3339 is in UTC wherever the machine stands, the clock is what hangs there on the wall."""
    times = np.array([1_600_000_123 * SECOND_NS], np.uint64)
    assert rfc3339_texts(times, 0) == ["2020-09-13T12:28:43.000000000Z"]
    assert clock_texts(times, 0) == ["18:13:43.000"]


def test_offset_may_be_before_boot():
    """A wall clock that is behind the time since boot still has a text."""
    assert rfc3339_text(1, -2) == "1969-12-31T23:59:59.999999999Z"
