"""Columns of a batch and the texts in them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.filter.batch import Batch
from connscope.row.address import address_text
from connscope.row.columns import ROW
from connscope.row.outside_text import printable
from tests.unit.sample_rows import any_rows


def make_text(name: str, value: np.generic) -> str:
    """What a row shows of a value."""
    if name == "comm":
        return printable(value.tobytes())
    return address_text(value.tobytes()) if name.endswith("_address") else str(value)


@pytest.mark.parametrize("name", ["comm", "local_address", "peer_port", "pid", "connection_id"])
@given(rows=any_rows().filter(len), twice=st.booleans(), letter=st.sampled_from("01.a"))
def test_texts_that_pass(name: str, rows, twice: bool, letter: str):
    """Rows pass whose text does, however often a text is there."""
    rows = np.concatenate([rows, rows]) if twice else rows
    mask = Batch(rows, 1).texts_pass(name, lambda texts: [letter in text for text in texts])
    assert mask.tolist() == [letter in make_text(name, value) for value in rows[name]]


def test_more_different_texts_than_buckets():
    """Values that share a bucket are told apart."""
    rows = np.zeros(200_000, ROW)
    numbers = np.arange(len(rows), dtype=">u4")
    rows["peer_address"][:, 12:] = numbers.view(np.uint8).reshape(-1, 4)
    rows["peer_address"][:, 10:12] = 255
    asked = list[str]()

    def passes(texts):
        asked.extend(texts)
        return [text.endswith(".7") for text in texts]

    mask = Batch(rows, 1).texts_pass("peer_address", passes)
    assert mask.tolist() == (numbers % 256 == 7).tolist()
    assert len(asked) == len(set(asked)) == len(rows)


def test_narrowed_batch_is_narrowed_again():
    """Rows are counted from the first batch."""
    rows = np.zeros(6, ROW)
    rows["pid"] = np.arange(6)
    odd = Batch(rows, 1).narrowed(np.arange(6) % 2 == 1)
    assert odd.column("pid").tolist() == [1, 3, 5]
    assert odd.narrowed(odd.column("pid") > 1).column("pid").tolist() == [3, 5]
    assert len(odd) == 3
