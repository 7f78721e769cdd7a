"""Which rows the options choose."""

from __future__ import annotations

import argparse

import numpy as np
import pytest

from connscope.cli.choice import Choice, add_choice, chosen
from connscope.cli.main import join_values
from connscope.filter import FilterError
from connscope.row.columns import ROW, Rows, lost_row
from connscope.row.words import Kind, Tier
from tests.unit.cli.list_rows import NOW_NS, connection, listener, time_wait

ROWS = np.concatenate(
    (
        connection(connection_id=1),
        connection(connection_id=2, pid=7, comm=b"nginx", peer_port=80),
        listener(connection_id=3),
        listener(connection_id=4, kind=Kind.UNLISTENED),
        time_wait(connection_id=5),
    )
)


def choice(*arguments: str, listeners: bool = False) -> Choice:
    """What a command line chooses."""
    parser = argparse.ArgumentParser()
    add_choice(parser)
    return chosen(parser.parse_args(join_values([*arguments])), listeners=listeners)


def ids(rows: Rows) -> list[int]:
    """The connections that are left."""
    return [int(value) for value in rows["connection_id"]]


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        ((), [1, 2, 3, 4, 5]),
        (("--filter", "proc:nginx"), [2, 3, 4]),
        (("--filter", "port:80 or pid:1234"), [1, 2]),
        (("--comm", "nginx", "--filter", "-state:listen"), [2]),
        (("--pid", "7"), [2]),
        (("--filter", ""), [1, 2, 3, 4, 5]),
    ],
)
def test_everything_must_hold(arguments: tuple[str, ...], left: list[int]):
    """The options and the filter, and all of them together."""
    assert ids(choice(*arguments).apply(ROWS)) == left


def test_listeners():
    """Those that listen, and those that have ceased to."""
    assert ids(choice(listeners=True).apply(ROWS)) == [3, 4]


@pytest.mark.parametrize("arguments", [("--filter", "pid:1"), ("--pid", "1"), ("--failed",)])
@pytest.mark.parametrize("listeners", [False, True])
def test_lost_rows_are_always_shown(arguments: tuple[str, ...], listeners: bool):
    """Nobody may overlook those."""
    rows = np.concatenate((ROWS, lost_row(3, NOW_NS, Tier.BTF)))
    found = choice(*arguments, listeners=listeners).apply(rows)
    assert found["lost"].tolist() == [3]


@pytest.mark.parametrize("listeners", [False, True])
def test_nothing_stays_nothing(listeners: bool):
    """An empty batch."""
    chosen_rows = choice("--filter", "pid:1", listeners=listeners).apply(np.zeros(0, ROW))
    assert len(chosen_rows) == 0


def test_wrong_filter_is_pointed_at():
    """The message has a caret."""
    with pytest.raises(FilterError, match=r"\^$"):
        choice("--filter", "port:(")
