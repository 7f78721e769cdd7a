"""The columns that csv and arrow have on every line."""

from __future__ import annotations

import json

from hypothesis import given

from connscope.row.columns import ROW, Rows
from connscope.row.flat_columns import FLAT_COLUMNS
from connscope.row.json_lines import json_lines
from tests.unit.sample_rows import sensible_rows

NAMES = [each.name for each in FLAT_COLUMNS]


def test_every_column_of_the_row_is_there():
    """But for what says which others are filled, and the reserve."""
    columns = {each.column for each in FLAT_COLUMNS} - {""}
    assert columns == set(ROW.names or ()) - {"known", "left_state"}


@given(sensible_rows())
def test_order_is_that_of_json(rows: Rows):
    """JSON's keys come in the order of these columns."""
    for line in json_lines(rows, 0).splitlines():
        keys = list(json.loads(line))
        assert keys == [name for name in NAMES if name in keys]
