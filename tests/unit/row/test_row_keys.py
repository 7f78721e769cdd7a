"""What is looked up of a row is what stands in it."""

from __future__ import annotations

import numpy as np
from hypothesis import given

from connscope.row.columns import Rows
from connscope.row.row_keys import FEW, key_dtype, neighbours, row_keys
from tests.unit.sample_rows import any_rows

PLACES = (FEW, neighbours("comm", "comm"), neighbours("netns", "uid"))


@given(any_rows())
def test_keys_are_the_columns(rows: Rows) -> None:
    """Each column of each place, of each row; of one that is not contiguous too."""
    for some in (rows, rows[::2]):
        keys = np.frombuffer(row_keys(some, *PLACES).tobytes(), key_dtype(*PLACES))
        for name in keys.dtype.names or ():
            assert keys[name].tobytes() == some[name].tobytes()


def test_few_are_the_last_columns() -> None:
    """From the error on."""
    names = FEW[1].names or ()
    assert (names[0], names[-1]) == ("error", "left_state")
