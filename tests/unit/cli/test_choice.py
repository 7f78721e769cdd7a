"""Which rows the options choose."""

from __future__ import annotations

import argparse

import numpy as np
import pytest

from connscope.cli.choice import Choice, add_choice, chosen
from connscope.cli.main import join_values
from connscope.filter import FilterError
from connscope.row.columns import ROW, Rows, lost_row
from connscope.row.words import Kind, Protocol, State, Tier
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


UDP = np.concatenate(
    (
        connection(connection_id=11, protocol=Protocol.UDP),
        connection(connection_id=12, protocol=Protocol.UDP, state=State.CLOSE, peer_port=0),
    )
)


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        ((), [1, 2, 3, 4, 5, 11, 12]),
        (("-t",), [1, 2, 3, 4, 5]),
        (("--udp",), [11, 12]),
        (("-tu", "--pid", "7"), [2]),
    ],
)
def test_protocols(arguments: tuple[str, ...], left: list[int]):
    """Those that are named, or all."""
    assert ids(choice(*arguments).apply(np.concatenate((ROWS, UDP)))) == left


@pytest.mark.parametrize(
    ("arguments", "left"), [((), [3, 4]), (("-u",), [12]), (("-tu",), [3, 4, 12])]
)
def test_udp_sockets_without_a_peer_are_listeners_if_asked_for(
    arguments: tuple[str, ...], left: list[int]
):
    """As of ``ss -l``."""
    rows = np.concatenate((ROWS, UDP))
    assert ids(choice(*arguments, listeners=True).apply(rows)) == left


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
