from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from connscope.errors import ReportError
from connscope.report.numbers import MOST, bytes_apart, joined, steps, summed

DTYPES = st.sampled_from((np.uint8, np.uint16, np.uint32, np.uint64))
TIMES = arrays.arrays(np.uint64, st.integers(0, 8), elements=st.integers(0, MOST - 1))


@given(DTYPES.flatmap(lambda dtype: arrays.arrays(dtype, st.integers(0, 6))))
def test_bytes_are_joined_again(values):
    """What was cut apart is the same when joined."""
    again = joined(bytes_apart(values), values.dtype, len(values))
    assert again.tolist() == values.tolist()


def test_zero_bytes_are_not_there():
    """Only places at which some value has a byte are told."""
    assert list(bytes_apart(np.array([0x0100, 0x0300], np.uint32))) == [1]


def test_bytes_that_a_type_has_not_are_refused():
    """Byte 2 of two makes no value."""
    with pytest.raises(ReportError, match="byte 2"):
        joined({2: np.ones(1, np.uint8)}, np.uint16, 1)


@given(TIMES)
def test_steps_are_summed_again(values):
    """What was told in steps is the same when summed, unknown ones too."""
    assert summed(steps(values), np.uint64).tolist() == values.tolist()


def test_unknown_makes_no_step():
    """A 0 between two numbers stays 0, and the next step is from the number before it."""
    assert steps(np.array([1000, 0, 1002], np.uint64)).tolist() == [2001, 0, 5]


def test_number_too_large_for_steps_is_refused():
    """It would be read as another one."""
    with pytest.raises(ReportError, match="not below"):
        steps(np.array([MOST], np.uint64))


@pytest.mark.parametrize("told", [[2], [3, 4], [1], [2**64 - 1], [2 * 2**32 + 1]])
def test_steps_out_of_range_are_refused(told):
    """A sum below 1, or more than the type holds, is no value."""
    with pytest.raises(ReportError, match="out of the range"):
        summed(np.array(told, np.uint64), np.uint32)
