from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connscope.report.encode import streams
from connscope.report.report import make_report
from connscope.report.tables import OWNER_COLUMNS, ROW_COLUMNS
from tests.unit.report.reports import A_NAME, a_look, table_of

PAGE = (Path(__file__).parents[3] / "docs" / "report.md").read_text()
FAR = 1 << 40 | 9


@pytest.fixture
def page() -> dict[str, Any]:
    """What the code of the page makes of a report."""
    rows = table_of({1: 70_000, FAR: 0, 3: 1}, opened_ns=[10**12, 0, 10**12 - 5])
    report = make_report(a_look(), 4, 3, rows, names=[A_NAME], gone=np.array([2], np.uint64))
    named: dict[str, Any] = {"decompressed": b"".join(streams(report))}
    for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(code, named)  # noqa: S102 # it is our own page
    return named


def test_page_reads_the_tables(page):
    """The code of the page finds the rows of each table."""
    assert [table.num_rows for table in page["tables"].values()] == [1, 1, 1, 3, 0, 1, 1]


def test_page_reads_numbers(page):
    """The code of the page joins the bytes of a number."""
    assert page["column"](page["tables"]["open"], "bytes_sent").tolist() == [70_000, 1, 0]


@pytest.mark.parametrize(
    ("name", "values"), [("cookie", [1, 3, FAR]), ("opened_ns", [10**12, 10**12 - 5, 0])]
)
def test_page_reads_steps(page, name, values):
    """The code of the page sums steps, unknown ones too."""
    told = page["column"](page["tables"]["open"], name)
    assert page["summed"](told).tolist() == values


@pytest.mark.parametrize("name", ["age_ns", "owner", "tag", *OWNER_COLUMNS])
def test_page_names_columns(name):
    """What is not a column of the row is on the page."""
    assert f"`{name}`" in PAGE


def test_every_column_is_of_the_row_or_on_the_page():
    """A column that is added is told of."""
    row_page = (Path(__file__).parents[3] / "docs" / "row.md").read_text()
    assert [name for name in ROW_COLUMNS if f"`{name}`" not in PAGE + row_page] == []
