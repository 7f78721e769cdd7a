"""Medians of many groups."""

from __future__ import annotations

import statistics

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from connscope.server import median
from connscope.server.median import medians

DRAWN = st.lists(st.tuples(st.integers(0, 4), st.integers(1, (1 << 32) - 1)), max_size=40)


@given(DRAWN, st.booleans())
def test_they_are_the_lower_medians(drawn: list[tuple[int, int]], many: bool):
    """Whether all values are sorted or only those about the middle."""
    groups = np.array([group for group, _ in drawn], np.intp)
    values = np.array([value for _, value in drawn], np.uint32)
    few, most = median.FEW, median.BUCKETS_MOST
    try:
        if many:
            median.FEW, median.BUCKETS_MOST = -1, 1 << 30
        found = medians(groups, values, 5)
    finally:
        median.FEW, median.BUCKETS_MOST = few, most
    wanted = [[value for group, value in drawn if group == each] for each in range(5)]
    assert found.tolist() == [statistics.median_low(each) if each else 0 for each in wanted]
