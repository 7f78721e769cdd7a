"""Lives of connections, as a table is told of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from connscope.row.columns import Rows
from connscope.row.words import Kind, State
from connscope.table.connections import ConnectionTable
from tests.unit.table.rows import batch, connection, ids, kinds

NO_IDS = (0, (1 << 64) - 1)


def event(number: int, kind: Kind, **columns: Any) -> Rows:
    """Something that happens to a connection; what ends it leaves it in the state CLOSE."""
    ends = kind in (Kind.CLOSED, Kind.FAILED, Kind.UNLISTENED)
    listens = kind in (Kind.LISTENING, Kind.UNLISTENED)
    open_state = State.LISTEN if listens else State.ESTABLISHED
    given_columns = {"kind": kind, "state": State.CLOSE if ends else open_state}
    return connection(number, **(given_columns | columns))


def look(
    table: ConnectionTable,
    *rows: Rows,
    meanwhile: Rows | None = None,
    now_ns: int = 1,
    patience: int = 1,
) -> Rows:
    """A whole look that shows these rows; what it tells, by id."""
    table.begin_look(now_ns)
    table.take_look(batch(*rows))
    if meanwhile is not None:
        table.apply(meanwhile)
    found = table.settle(now_ns, patience)
    return found[np.argsort(found["connection_id"], kind="stable")]


def looked() -> ConnectionTable:
    """A table whose first look found nothing."""
    table = ConnectionTable()
    look(table)
    return table


def told(rows: Rows) -> list[tuple[int, Kind]]:
    """What is told of whom."""
    return list(zip(ids(rows), kinds(rows), strict=True))


def in_table(table: ConnectionTable) -> Rows:
    """All that is open, by id."""
    rows = table.rows()
    return rows[np.argsort(rows["connection_id"])]
