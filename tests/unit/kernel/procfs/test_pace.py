"""The rate at which /proc is read, by a clock of the test's own."""

from __future__ import annotations

import threading

from hypothesis import given
from hypothesis import strategies as st

from connscope.kernel.procfs.pace import Pace


class Clock:
    """Time that passes only when the test says so, or somebody sleeps.

    Attributes:
        now_s: what it shows.
    """

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        """Time passes."""
        self.now_s += seconds


@given(
    fds_per_tick=st.integers(1, 50),
    tick_ms=st.integers(1, 500),
    asked=st.lists(st.tuples(st.integers(1, 200), st.integers(0, 700)), max_size=60),
)
def test_never_above_the_rate(fds_per_tick: int, tick_ms: int, asked: list[tuple[int, int]]):
    """Of all that was handed out no more than one tick's worth falls into any one tick."""
    clock = Clock()
    pace = Pace(fds_per_tick, tick_ms, clock, clock.sleep)
    taken = list[tuple[float, int]]()
    for wanted, later_ms in asked:
        left = wanted
        while left:
            count = pace.take(left)
            taken.append((clock.now_s, count))
            left -= count
        clock.sleep(later_ms)
    assert pace.fds == sum(count for _, count in taken) == sum(wanted for wanted, _ in asked)
    for ticks in range(1, 4):
        for start, _ in taken:
            inside = sum(count for at, count in taken if start <= at < start + ticks * tick_ms)
            assert inside <= fds_per_tick * (ticks + 1)
    passed_ticks = clock.now_s // tick_ms + 1
    assert pace.fds <= fds_per_tick * passed_ticks


def test_waits_for_the_next_tick():
    """The second three of five per tick come a tick after the first five."""
    clock = Clock()
    pace = Pace(5, 2.0, clock, clock.sleep)
    assert [pace.take(8), clock.now_s] == [5, 0]
    assert [pace.take(3), clock.now_s] == [3, 2]


def test_ticks_that_nobody_used_are_not_made_up_for():
    """After a long time there is one tick's worth again, not ten."""
    clock = Clock()
    pace = Pace(5, 1.0, clock, clock.sleep)
    pace.take(5)
    clock.sleep(10)
    assert [pace.take(9), pace.take(9), clock.now_s] == [5, 5, 11]


def test_tick_may_be_changed():
    """The next wait is as long as the new tick."""
    clock = Clock()
    pace = Pace(5, 1.0, clock, clock.sleep)
    pace.take(5)
    pace.tick_s = 3.0
    pace.take(5)
    assert clock.now_s == 3


def test_nothing_after_stop():
    """Also if there was something left."""
    pace = Pace(5, 1.0)
    pace.stop()
    assert (pace.take(1), pace.stopped) == (0, True)


def test_stop_ends_a_wait():
    """Another thread sits in a tick of an hour."""
    pace = Pace(1, 3600.0)
    pace.take(1)
    found = list[int]()
    waiting = threading.Thread(target=lambda: found.append(pace.take(1)))
    waiting.start()
    pace.stop()
    waiting.join(20)
    assert found == [0]
