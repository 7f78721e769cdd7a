"""Conditions on the text of a column: of names, of addresses and of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Network
from typing import ClassVar

import numpy as np

from connscope.filter.batch import Batch, Mask
from connscope.filter.condition import Sql
from connscope.filter.pattern import Pattern

__all__ = ("ADDRESS_COLUMNS", "TEXT_COLUMN", "Equals", "InNetwork", "Matches")

ADDRESS_COLUMNS = ("local_address", "peer_address")
TEXT_COLUMN = "comm"


@dataclass(frozen=True, slots=True)
class Matches:
    """A pattern is somewhere in the text of a column."""

    slow: ClassVar[bool] = True
    column: str
    pattern: Pattern

    def mask(self, batch: Batch) -> Mask:
        """Asks each text that differs."""
        return batch.texts_pass(self.column, self.pattern.found_in_each)

    def sql(self, sql: Sql) -> str:
        """``regexp_matches`` is DuckDB's; ``address_text`` is made by whoever has the table."""
        sql.add(str(self.pattern))
        return f"regexp_matches({_text_sql(self.column)}, ?)"


@dataclass(frozen=True, slots=True)
class Equals:
    """The text of a column is this one."""

    slow: ClassVar[bool] = True
    column: str
    text: str

    def mask(self, batch: Batch) -> Mask:
        """Asks each text that differs."""
        return batch.texts_pass(self.column, lambda texts: [text == self.text for text in texts])

    def sql(self, sql: Sql) -> str:
        """Equality."""
        sql.add(self.text)
        return f"({_text_sql(self.column)} = ?)"


@dataclass(frozen=True, slots=True)
class InNetwork:
    """The address of a column lies in a network, IPv4 in its v4-mapped one."""

    slow: ClassVar[bool] = False
    column: str
    network: IPv6Network

    def mask(self, batch: Batch) -> Mask:
        """Two words for each address, and the first only if the network says something of it."""
        netmask = np.frombuffer(self.network.netmask.packed, np.uint64)
        prefix = np.frombuffer(self.network.network_address.packed, np.uint64)
        halves = batch.halves(self.column)
        mask: Mask = (halves[:, 0] & netmask[0]) == prefix[0]
        mask &= (halves[:, 1] & netmask[1]) == prefix[1]
        return mask

    def sql(self, sql: Sql) -> str:
        """Bytes in the order of the network are in the order of the addresses."""
        sql.add(self.network.network_address.packed, self.network.broadcast_address.packed)
        return f'("{self.column}" BETWEEN ? AND ?)'


def _text_sql(column: str) -> str:
    if column == TEXT_COLUMN:
        return f'"{column}"'
    if column in ADDRESS_COLUMNS:
        return f'address_text("{column}")'
    return f'CAST("{column}" AS VARCHAR)'
