"""The clock of all times, and the time of day."""

from __future__ import annotations

import time
import uuid
from itertools import chain, repeat

from hypothesis import given
from hypothesis import strategies as st

from connscope.kernel.host.clock import (
    ROUNDS,
    asleep_ns,
    boot_id,
    boottime_ns,
    wall_minus_boottime_ns,
)

DIFFERENCE_NS = 1_700_000_000_000_000_000


@given(
    st.lists(st.integers(0, 10**9), min_size=ROUNDS - 1, max_size=ROUNDS - 1),
    st.integers(0, ROUNDS - 1),
)
def test_round_that_nobody_interrupted_counts(delays_ns: list[int], quick: int) -> None:
    """However long we were kept between two readings in the others."""
    delays_ns.insert(quick, 0)
    starts = [10**12 * (1 + index) for index in range(ROUNDS)]
    pairs = [(start, start + 10 + delay) for start, delay in zip(starts, delays_ns, strict=True)]
    boot = iter(chain.from_iterable(pairs))
    wall = iter([start + 5 + DIFFERENCE_NS for start in starts])  # the delay comes after it
    assert wall_minus_boottime_ns(boot.__next__, wall.__next__) == DIFFERENCE_NS


def test_wall_time_is_the_sum() -> None:
    """A boottime reading plus the difference lies between two readings of the wall clock."""
    before_ns = time.time_ns()
    now_ns = boottime_ns() + wall_minus_boottime_ns()
    slack_ns = 5_000_000  # the clock may be slewed meanwhile
    assert before_ns - slack_ns <= now_ns <= time.time_ns() + slack_ns


def test_time_asleep_is_between_the_two_clocks() -> None:
    """Added to CLOCK_MONOTONIC it gives CLOCK_BOOTTIME."""
    before_ns = boottime_ns()
    now_ns = time.monotonic_ns() + asleep_ns()
    slack_ns = 5_000_000  # as above
    assert before_ns - slack_ns <= now_ns <= boottime_ns() + slack_ns


def test_clock_that_stands_still_is_no_trouble() -> None:
    """A coarse clock shows the same twice."""
    assert wall_minus_boottime_ns(repeat(3).__next__, repeat(10).__next__) == 7


def test_boot_has_a_name() -> None:
    """A UUID, the same at each call."""
    assert str(uuid.UUID(boot_id())) == boot_id()
