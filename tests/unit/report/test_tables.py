from __future__ import annotations

import numpy as np
import pytest

from connscope.report import tables
from connscope.report.tables import distinct

SIZES = pytest.mark.parametrize("size", [16, 44])


def some_records(count: int, size: int):
    """Records of random bytes, most of them more than once."""
    random = np.random.default_rng(size)
    different = random.integers(0, 256, (count, size)).astype(np.uint8)
    return different[random.integers(0, count, 3 * count)].view(f"V{size}")[:, 0]


def is_told_right(records) -> bool:
    """Each record is found by its number, and none is there twice."""
    first, which = distinct(records)
    values = records[first].tolist()
    return len(set(values)) == len(values) and (records[first][which] == records).all()


@SIZES
def test_records_are_found_by_their_number(size):
    """Thousands of them, so that many share a slot."""
    assert is_told_right(some_records(3000, size))


@SIZES
def test_records_that_collide_are_told_apart(size, monkeypatch):
    """Though the hash of all of them is one."""
    monkeypatch.setattr(tables, "FNV", np.uint64(0))
    assert is_told_right(some_records(300, size))


def test_no_records_have_no_number():
    """An empty report has no owners."""
    first, which = distinct(np.empty(0, "V16"))
    assert (len(first), len(which)) == (0, 0)
