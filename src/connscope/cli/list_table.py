"""Open connections and listeners as a table that fits the line."""

from __future__ import annotations

import itertools
import os
import shutil
import sys
from typing import NamedTuple

from connscope.cli.cells import aligned, text_width
from connscope.cli.list_columns import ListColumn, connection_columns, listener_columns
from connscope.row.columns import Rows

__all__ = ("ListTable", "Table", "line_width")

LEAST_WIDTH, MOST_WIDTH = 80, 200
ALWAYS_RANK = 1
PIPED_RANK = 3
"""Without a width to fit, the columns of an ordinary line are shown."""


class Table(NamedTuple):
    """The titles, and a line for each row."""

    header: str
    lines: list[str]

    def text(self) -> str:
        """All lines, each with its newline."""
        return "\n".join((self.header, *self.lines, ""))


def line_width() -> int | None:
    """How wide a line may be: as the terminal is, from 80 to 200; None if nothing is to be cut.

    COLUMNS is obeyed also in a pipe.
    """
    if not sys.stdout.isatty() and not os.environ.get("COLUMNS", "").isdigit():
        return None
    return min(max(shutil.get_terminal_size().columns, LEAST_WIDTH), MOST_WIDTH)


class ListTable:
    """Makes tables.

    Args:
        wide: all columns in their full width.
        numeric: ports and users as numbers.
        listeners: with the columns of listeners.
        udp: some of these may be of UDP.
    """

    def __init__(self, *, wide: bool, numeric: bool, listeners: bool, udp: bool = False) -> None:
        if listeners:
            self._columns = listener_columns(wide=wide, numeric=numeric, udp=udp)
        else:
            self._columns = connection_columns(wide=wide, numeric=numeric)
        self._wide = wide

    def make(self, rows: Rows, width: int | None) -> Table:
        """The rows as lines of at most that width; None cuts nothing."""
        drawn = [_Drawn(column, column.cells(rows)) for column in self._columns]
        if self._wide:
            width = None
        if width is None:
            shown = [each for each in drawn if self._wide or each.column.rank <= PIPED_RANK]
        else:
            shown = _fitting(drawn, width)
        columns = [each.lines() for each in shown]
        header, *lines = (" ".join(line).rstrip() for line in zip(*columns, strict=True))
        return Table(header, lines)


class _Drawn:
    """A column with its cells and the width that it gets."""

    def __init__(self, column: ListColumn, cells: list[str]) -> None:
        self.column = column
        self.cells = cells
        self.is_empty = not any(cells)
        self.width = max(map(text_width, itertools.chain((column.title,), cells)))

    def lines(self) -> list[str]:
        """The title and the cells, all of one width."""
        width = self.width * self.column.side
        cut = _cut_middle if self.column.ends_matter else _cut_end
        texts = [self.column.title, *self.cells]
        if self.column.least:
            texts = [
                text if text_width(text) <= self.width else cut(text, self.width) for text in texts
            ]
        return aligned(texts, width)


def _fitting(drawn: list[_Drawn], width: int) -> list[_Drawn]:
    """The columns that are always there, made narrower if they must be, and what else has room."""
    shown = {each.column.title for each in drawn if each.column.rank <= ALWAYS_RANK}
    room = width + 1 - sum(each.width + 1 for each in drawn if each.column.title in shown)
    if room < 0:
        _narrow([each for each in drawn if each.column.title in shown], -room)
    for each in sorted(drawn, key=lambda each: each.column.rank):
        if each.column.title in shown or each.is_empty:
            continue
        if each.width + 1 <= room:
            shown.add(each.column.title)
            room -= each.width + 1
    return [each for each in drawn if each.column.title in shown]


def _narrow(drawn: list[_Drawn], excess: int) -> None:
    """Takes from the widest column that may be cut, again and again; names go before addresses."""
    for ends_matter in (False, True):
        candidates = [
            each for each in drawn if each.column.least and each.column.ends_matter == ends_matter
        ]
        while excess and candidates:
            widest = max(candidates, key=lambda each: each.width)
            if widest.width <= widest.column.least:
                break
            widest.width -= 1
            excess -= 1


def _mark() -> str:
    """What stands for the letters that were cut."""
    return "…" if (sys.stdout.encoding or "").lower().startswith("utf") else "."


def _cut_end(text: str, width: int) -> str:
    return _beginning(text, width - 1) + _mark()


def _cut_middle(text: str, width: int) -> str:
    """The port is at the end and must stay, the network at the beginning says most."""
    port = len(text) - text.rindex(":")
    behind = max(port, (width - 1) // 2)
    return _beginning(text, width - 1 - behind) + _mark() + text[-behind:]


def _beginning(text: str, width: int) -> str:
    """As many letters as fit."""
    while text_width(text) > width:
        text = text[:-1]
    return text
