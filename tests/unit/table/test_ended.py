"""What ended a short while ago, with two sets as the judge."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.table import ended as ended_room
from connscope.table.ended import RecentlyEnded

NO_IDS = [0, (1 << 64) - 1]
NUMBERS = [*NO_IDS, *range(1, 8)]
STEPS = st.lists(st.none() | st.lists(st.sampled_from(NUMBERS), max_size=5), max_size=10)


def numbers(wanted) -> np.ndarray:
    """As ids are given."""
    return np.array(wanted, np.uint64)


@given(STEPS, st.booleans())
def test_two_generations_are_known(steps, asks_each_time):
    """What was added twice is once there; what is no id is not."""
    ended, young, old = RecentlyEnded(), set[int](), set[int]()
    for step in steps:
        if step is None:
            ended.age()
            young, old = set(), young
        else:
            ended.add(numbers(step))
            young |= set(step) - set(NO_IDS)
        if asks_each_time:
            found = ended.contains(numbers(NUMBERS)).tolist()
            assert found == [each in young | old for each in NUMBERS]
    assert len(ended) == len(young) + len(old)
    found = ended.contains(numbers(NUMBERS)).tolist()
    assert found == [each in young | old for each in NUMBERS]


def test_it_lasts_for_one_whole_generation():
    """Not for two."""
    ended = RecentlyEnded()
    ended.add(numbers([5]))
    ended.age()
    assert ended.contains(numbers([5])).all()
    ended.age()
    assert not ended.contains(numbers([5])).any()


def test_order_of_the_questions_is_kept():
    """Each answer stands where the question does."""
    ended = RecentlyEnded()
    ended.add(numbers([3, 1]))
    assert ended.contains(numbers([1, 2, 3, 1])).tolist() == [True, False, True, True]


def test_full_generation_makes_room(monkeypatch: pytest.MonkeyPatch):
    """However many end in a short time, two generations are kept and no more."""
    monkeypatch.setattr(ended_room, "MOST", 100)
    ended = RecentlyEnded()
    for start in range(1, 2000, 10):
        ended.add(np.arange(start, start + 10, dtype=np.uint64))
        assert ended.contains(numbers([start, max(1, start - 50)])).all()
    assert len(ended) <= 200
