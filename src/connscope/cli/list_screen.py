"""What the screen of ``connscope list --follow`` shows: what is open, and what happened of late."""

from __future__ import annotations

import os
import time

import numpy as np

from connscope.cli.choice import Choice
from connscope.cli.list_order import Order
from connscope.cli.list_table import ListTable
from connscope.row.columns import ROW, Rows
from connscope.row.words import Kind, State

__all__ = ("News", "screen_lines")

NEWS_NS = 3_000_000_000
"""So long what happened is marked."""
ENDED_AT_MOST = 1000
ENDS = (Kind.CLOSED, Kind.FAILED, Kind.IDLE, Kind.UNLISTENED)

COME_BACK = (Kind.FAILED, Kind.IDLE)
MARKS = {Kind.SNAPSHOT: " ", Kind.OPENED: "+", Kind.FAILED: "!"}
ENDED_MARK = "-"
COLORS = {"+": "\x1b[32m", "-": "\x1b[2m", "!": "\x1b[31m"}
BOLD, PLAIN = "\x1b[1m", "\x1b[0m"


class News:
    """What ended of late, and how many events were lost."""

    def __init__(self, choice: Choice) -> None:
        self._choice = choice
        self._ended: Rows = np.empty(0, ROW)
        self.lost = 0

    def take(self, events: Rows) -> None:
        """Remembers what matters of the events."""
        if not len(events):
            return
        self.lost += int(events["lost"].sum())
        ended = self._choice.apply(events[np.isin(events["kind"], ENDS)])
        self._ended = np.concatenate((self._ended, ended))[-ENDED_AT_MOST:]

    def add_to(self, rows: Rows, now_ns: int) -> Rows:
        """The rows of a look, and what ended shortly before or while it was made.

        What opened of late gets the kind ``opened``.

        Args:
            rows: of the look; changed.
            now_ns: CLOCK_BOOTTIME.
        """
        since_ns = max(0, now_ns - NEWS_NS)
        self._ended = self._ended[self._ended["time_ns"] > since_ns]
        ids = self._ended["connection_id"][~np.isin(self._ended["kind"], COME_BACK)]
        still_open = rows[~np.isin(rows["connection_id"], ids[ids > 0])]
        still_open["kind"][still_open["opened_ns"] > since_ns] = Kind.OPENED
        return np.concatenate((self._ended, still_open))


def screen_lines(
    rows: Rows, lost: int, order: Order, table: ListTable, size: tuple[int, int]
) -> list[str]:
    """What the screen shows: totals, titles, and the rows that fit; by default news first."""
    width, height = size
    rows = order.apply(rows)
    if not order.column:
        rows = rows[np.argsort(rows["kind"] == Kind.SNAPSHOT, kind="stable")]
    room = max(0, height - 3) if len(rows) > height - 2 else len(rows)
    drawn = table.make(rows[:room], width - len("  "))
    marks = [MARKS.get(kind, ENDED_MARK) for kind in rows["kind"][:room].tolist()]
    marked = zip(marks, drawn.lines, strict=True)
    lines = [
        _bold(_totals(rows, lost)[:width]),
        f"  {drawn.header}"[:width],
        *(_colored(mark, f"{mark} {line}"[:width]) for mark, line in marked),
    ]
    if room < len(rows):
        lines.append(f"  {len(rows) - room} more")
    return lines[:height]


def _totals(rows: Rows, lost: int) -> str:
    open_rows = rows[(rows["kind"] == Kind.SNAPSHOT) | (rows["kind"] == Kind.OPENED)]
    listening = int((open_rows["state"] == State.LISTEN).sum())
    established = int((open_rows["state"] == State.ESTABLISHED).sum())
    counts = (
        (established, "established"),
        (listening, "listening"),
        (len(open_rows) - established - listening, "other"),
        (int((rows["kind"] == Kind.OPENED).sum()), "opened (+)"),
        (int(np.isin(rows["kind"], (Kind.CLOSED, Kind.IDLE, Kind.UNLISTENED)).sum()), "closed (-)"),
        (int((rows["kind"] == Kind.FAILED).sum()), "failed (!)"),
        (lost, "events lost"),
    )
    told = "  ".join(f"{count} {what}" for count, what in counts if count)
    return f"{time.strftime('%H:%M:%S')}  {told}  q quits"


def _colored(mark: str, line: str) -> str:
    """Colours say the same as the marks, for those who want them (no-color.org)."""
    if mark not in COLORS or os.environ.get("NO_COLOR"):
        return line
    return f"{COLORS[mark]}{line}{PLAIN}"


def _bold(line: str) -> str:
    return f"{BOLD}{line}{PLAIN}"
