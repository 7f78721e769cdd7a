"""The list again and again: a screen on a terminal, else a block each second."""

from __future__ import annotations

import time

import numpy as np

from connscope.capture.tier import BATCH_ROWS, CaptureTier, Looker
from connscope.cli.choice import Choice
from connscope.cli.list_order import Order
from connscope.cli.list_output import Output
from connscope.cli.list_screen import News, screen_lines
from connscope.cli.list_table import ListTable
from connscope.cli.screen import Screen
from connscope.kernel.host.clock import boottime_ns
from connscope.row.columns import Rows

__all__ = ("follow_in_blocks", "follow_on_screen", "open_sockets")

INTERVAL_S = 1.0
DRAIN_INTERVAL_S = 0.2
"""So often the ring is emptied between two looks, that it may not run full."""


def open_sockets(looker: Looker, choice: Choice) -> Rows:
    """What is there now and chosen."""
    rows = looker.look()
    if choice.minisockets:
        rows = np.concatenate((rows, looker.minisockets()))
    return choice.apply(rows)


def follow_in_blocks(
    tier: CaptureTier, choice: Choice, order: Order | None, output: Output
) -> None:
    """Writes what is there each second, until somebody stops it."""
    due_s = time.monotonic()
    while True:
        rows = open_sockets(tier, choice)
        output.write(order.apply(rows) if order else rows)
        due_s = max(due_s + INTERVAL_S, time.monotonic())
        while (left_s := due_s - time.monotonic()) > 0:
            time.sleep(min(left_s, DRAIN_INTERVAL_S))
            _drain(tier)


def follow_on_screen(tier: CaptureTier, choice: Choice, order: Order, table: ListTable) -> None:
    """Draws what is there each second, until q is pressed."""
    news = News(choice)
    with Screen() as screen:
        while True:
            due_s = time.monotonic() + INTERVAL_S
            rows = open_sockets(tier, choice)
            news.take(_drain(tier))
            rows = news.add_to(rows, boottime_ns())
            screen.draw(screen_lines(rows, news.lost, order, table, screen.size()))
            if _is_quit_before(due_s, screen, tier, news):
                return


def _is_quit_before(due_s: float, screen: Screen, tier: CaptureTier, news: News) -> bool:
    """Waits for that time or for q; asks for keys also if the time is over already."""
    while True:
        keys = screen.keys(min(due_s, time.monotonic() + DRAIN_INTERVAL_S))
        if keys is None or b"q" in keys:
            return True
        news.take(_drain(tier))
        if time.monotonic() >= due_s:
            return False


def _drain(tier: CaptureTier) -> Rows:
    """All events that are waiting."""
    batches = [tier.events()]
    while len(batches[-1]) >= BATCH_ROWS:
        batches.append(tier.events())
    return np.concatenate(batches)
