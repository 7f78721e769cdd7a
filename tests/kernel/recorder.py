"""Records what a tier captures, until a condition holds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from connscope.capture.btf.tier import BtfTier
from connscope.row.columns import ROW, Rows
from connscope.row.words import Kind
from tests.surroundings import PATIENCE

PATIENCE_S = 20.0 * PATIENCE


class Recorder:
    """All rows of one tier since it was opened."""

    def __init__(self, tier: BtfTier) -> None:
        self.tier = tier
        self.rows: Rows = np.empty(0, ROW)

    def drain(self) -> Rows:
        """Takes out all that is there; returns everything recorded so far."""
        while len(found := self.tier.events()):
            self.rows = np.concatenate((self.rows, found))
        return self.rows

    def until(self, condition: Callable[[Rows], Any]) -> Rows:
        """Records until the condition holds for the rows so far; fails when patience is over."""
        end = time.monotonic() + PATIENCE_S
        while not condition(self.drain()):
            left = end - time.monotonic()
            assert left > 0, f"not seen within {PATIENCE_S} s among:\n{describe(self.rows)}"
            self.tier.wait(min(left, 0.2))
        return self.rows

    def of_port(self, port: int, *kinds: Kind, count: int = 1) -> Rows:
        """Waits for `count` rows of one of the kinds with that port at either end."""
        rows = self.until(lambda rows: len(pick(rows, port, *kinds)) >= count)
        return pick(rows, port, *kinds)

    def one(self, port: int, kind: Kind, **columns: Any) -> Any:
        """Waits for the only row of a kind with that port and those column values."""
        rows = self.until(lambda rows: len(pick(rows, port, kind, **columns)))
        found = pick(rows, port, kind, **columns)
        assert len(found) == 1, describe(found)
        return found[0]


def pick(rows: Rows, port: int, *kinds: Kind, **columns: Any) -> Rows:
    """The rows with that port at either end, of one of the kinds, with those column values."""
    mask = ((rows["local_port"] == port) | (rows["peer_port"] == port)) & np.isin(
        rows["kind"], [int(kind) for kind in kinds]
    )
    for name, value in columns.items():
        mask &= rows[name] == value
    picked: Rows = rows[mask]
    return picked


def describe(rows: Rows) -> str:
    """The last rows as text for a failed assertion."""
    names = ("kind", "pid", "comm", "role", "local_port", "peer_port", "failure", "closed_by")
    return "\n".join(str({name: row[name] for name in names}) for row in rows[-40:])


def comm(row: Any) -> bytes:
    """The process name of a row."""
    return bytes(row["comm"].tobytes()).rstrip(b"\0")
