"""The order of a list."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.cli.list_order import Order, parse_order
from connscope.errors import UsageError
from connscope.row.columns import COLUMNS, Rows
from connscope.row.words import State
from tests.unit.cli.list_rows import connection, listener, time_wait
from tests.unit.sample_rows import any_rows


def ids(rows: Rows) -> list[int]:
    """The connections in their order."""
    return [int(value) for value in rows["connection_id"]]


@pytest.mark.parametrize(
    ("text", "reverse", "order"),
    [
        (None, False, Order("", False)),
        (None, True, Order("", True)),
        ("bytes_sent", False, Order("bytes_sent", False)),
        ("-bytes_sent", False, Order("bytes_sent", True)),
        ("bytes_sent", True, Order("bytes_sent", True)),
        ("-bytes_sent", True, Order("bytes_sent", False)),
        ("TX", False, Order("bytes_sent", False)),
        ("-RTT_MS", False, Order("rtt_us", True)),
        ("age", False, Order("age", False)),
    ],
)
def test_parse(text: str | None, reverse: bool, order: Order):
    """Names of columns or titles; a minus and --reverse turn it round, both do nothing."""
    assert parse_order(text, reverse=reverse) == order


@pytest.mark.parametrize("column", [each.name for each in COLUMNS if each.name != "left_state"])
@given(rows=any_rows())
def test_every_column_sorts(column: str, rows: Rows):
    """Each column of the row has an order, and its other way round is the same values backwards."""
    rising, falling = Order(column).apply(rows), Order(column, descending=True).apply(rows)
    assert rising[column].tolist() == falling[column].tolist()[::-1]


@given(any_rows(), st.booleans())
def test_same_values_stay_as_they_were(rows: Rows, descending: bool):
    """The order is stable both ways."""
    rows["lost"] = np.arange(len(rows))
    rows["pid"] = 1
    assert Order("pid", descending).apply(rows)["lost"].tolist() == list(range(len(rows)))


@pytest.mark.parametrize(
    ("name", "hint"), [("byte_sent", "did you mean bytes_sent"), ("?", "docs/row.md")]
)
def test_no_such_column(name: str, hint: str):
    """The message has what is near, or where to look."""
    with pytest.raises(UsageError, match=hint):
        parse_order(name, reverse=False)


def test_usual_order():
    """Listeners, then by state, then by process."""
    rows = np.concatenate(
        (
            time_wait(connection_id=4),
            connection(connection_id=3, comm=b"zsh"),
            connection(connection_id=2, comm=b"curl"),
            listener(connection_id=1),
        )
    )
    assert ids(Order().apply(rows)) == [1, 2, 3, 4]


def test_addresses_sort_as_numbers():
    """Not as text, and of one address by port."""
    rows = np.concatenate(
        [
            connection(connection_id=place, local_address=address, local_port=port)
            for place, address, port in (
                (3, "10.0.0.10", 1),
                (2, "10.0.0.9", 200),
                (1, "10.0.0.9", 30),
            )
        ]
    )
    assert ids(Order("local_address").apply(rows)) == [1, 2, 3]


def test_age_sorts_the_oldest_last():
    """What is of unknown age comes first."""
    rows = np.concatenate(
        (
            connection(connection_id=3, opened_ns=1),
            connection(connection_id=2, opened_ns=2),
            connection(connection_id=1, opened_ns=0, state=State.SYN_SENT),
        )
    )
    assert ids(Order("age").apply(rows)) == [1, 2, 3]
