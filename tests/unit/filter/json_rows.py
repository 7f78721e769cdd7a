"""Rows out of JSON and into SQLite, for the tests of filters."""

from __future__ import annotations

import errno
import re
import sqlite3
from datetime import datetime
from typing import Any

import numpy as np

from connscope.filter import Filter
from connscope.row.address import address_text
from connscope.row.columns import COLUMNS_OF, ROW, Rows
from connscope.row.outside_text import printable
from connscope.row.words import (
    ClosedBy,
    Failure,
    Group,
    Kind,
    OwnerEvidence,
    Protocol,
    Role,
    State,
    Tier,
)
from tests.unit.sample_rows import one_row

BOOTED = datetime.fromisoformat("2026-01-01T00:00:00Z")
TIMES = {"time": "time_ns", "opened_at": "opened_ns", "closed_at": "closed_ns"}
WORDS: dict[str, Any] = {
    "kind": Kind,
    "tier": Tier,
    "protocol": Protocol,
    "role": Role,
    "state": State,
    "owner_evidence": OwnerEvidence,
    "failure": Failure,
    "closed_by": ClosedBy,
}
ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")
SIGNED = (1 << 63) - 1
"""SQLite has no numbers above this one, DuckDB has."""


def boot_ns(time: str) -> int:
    """A time on the clock of the rows."""
    return int((datetime.fromisoformat(time) - BOOTED).total_seconds()) * 10**9


def row_of(found: dict[str, Any]) -> Rows:
    """The row that an object of JSON was made of; a group is known if it has a column of it."""
    columns = {TIMES.get(key, key): _number(key, value) for key, value in found.items()}
    known = [group for group in Group if set(COLUMNS_OF[group]) & columns.keys()]
    return one_row(**columns, known=sum(group.value for group in known))


def _number(key: str, value: Any) -> Any:
    if key in TIMES:
        return boot_ns(value)
    if key in WORDS:
        return WORDS[key][value.upper()].value
    if key == "comm":
        return ESCAPED.sub(lambda byte: bytes.fromhex(byte[1].decode()), value.encode())
    if key == "error":
        return getattr(errno, value)
    if key == "family":
        return int(value.removeprefix("ipv"))
    return int(value) if key.endswith("_id") else value


def sql_mask(wanted: Filter, rows: Rows, now_ns: int, *, null: bool = False) -> list[bool]:
    """What the filter's SQL says of each row, or of as many that are NULL all over."""
    names = ROW.names or ()
    database = sqlite3.connect(":memory:")
    database.create_function("address_text", 1, address_text, deterministic=True)
    database.create_function(
        "regexp_matches",
        2,
        lambda text, pattern: None if text is None else bool(re.search(pattern, text)),
    )
    columns = ", ".join(f'"{name}"{_type(name)}' for name in names)
    database.execute(f"CREATE TABLE rows ({columns})")
    marks = ", ".join("?" for _ in names)
    values = [[None] * len(names)] * len(rows) if null else map(_values, rows)
    database.executemany(f"INSERT INTO rows VALUES ({marks})", values)  # noqa: S608 # only question marks
    expression, parameters = wanted.sql(now_ns=now_ns)
    query = f"SELECT rowid FROM rows WHERE {expression}"  # noqa: S608 # what is tested
    found = {number for (number,) in database.execute(query, parameters)}
    database.close()
    return [number + 1 in found for number in range(len(rows))]


def _type(name: str) -> str:
    return " VARCHAR" if name == "comm" else "" if name.endswith("_address") else " BIGINT"


def _values(row: Any) -> list[Any]:
    return [
        printable(row[name].tobytes())
        if name == "comm"
        else row[name].tobytes()
        if name.endswith("_address")
        else int(row[name])
        for name in ROW.names or ()
    ]


def within_sqlite(rows: Rows) -> Rows:
    """The rows with every number small enough for SQLite."""
    for name in ROW.names or ():
        if ROW[name] == np.uint64:
            rows[name] &= np.uint64(SIGNED)
    return rows
