"""Sums of what is open, as tables and as JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given

from connscope.cli.summary import Summary, summarize
from connscope.cli.summary_lines import summary_json, summary_tables
from connscope.row.columns import ROW, Rows
from connscope.row.words import Group, State
from tests.unit.cli.list_rows import connection, listener, time_wait
from tests.unit.sample_rows import any_rows, sensible_rows

SERVED = {"local_address": "10.0.0.9", "local_port": 443, "pid": 99, "comm": b"nginx"}
MACHINE = np.concatenate(
    (
        connection(bytes_sent=1, bytes_received=2, retransmits=5),
        connection(bytes_sent=10, bytes_received=20, peer_address="fd00::7"),
        connection(**SERVED, bytes_sent=100, bytes_received=200, peer_address="10.0.0.1"),
        listener(),
        listener(local_address="10.0.0.9", queue_length=4),
        time_wait(),
    )
)
HUGE = 1 << 60


def lines(rows: Rows) -> list[dict[str, object]]:
    """The objects of JSON."""
    return [json.loads(line) for line in summary_json(summarize(rows)).splitlines()]


def tables(summary: Summary, *, wide: bool = False) -> str:
    """The tables with numbers for ports."""
    return summary_tables(summary, wide=wide, numeric=True)


def test_tables():
    """Those with the most bytes first, then the totals."""
    assert tables(summarize(MACHINE)) == (
        " PID COMM       LISTENERS CONNS  TX  RX\n"
        "  99 nginx              2     1 100 200\n"
        "1234 curl               0     2  11  22\n"
        "     no process         0     1   0   0\n"
        "\n"
        "PEER            PROCESSES CONNS  TX  RX\n"
        "10.0.0.1                1     1 100 200\n"
        "fd00::7                 1     1  10  20\n"
        "192.168.100.200         1     1   1   2\n"
        "fd00::2                 0     1   0   0\n"
        "\n"
        "PORT      NETNS PID COMM  EXPOSURE QUEUE CONNS  TX  RX\n"
        " 443 4026531840  99 nginx all      7/256     2 100 200\n"
        "\n"
        "4 connections, 3 of them established, 2 listeners, 2 processes, 4 peers\n"
        "111 bytes sent, 222 received, 5 segments sent again\n"
    )


def test_json():
    """One object a line says the same; what is unknown has no key."""
    found = lines(MACHINE)
    assert [each["by"] for each in found] == [
        *["process"] * 3, *["peer"] * 4, "listening_port", "total"
    ]  # fmt: skip
    assert found[1] == {
        "by": "process",
        "connections": 2,
        "bytes_sent": 11,
        "bytes_received": 22,
        "pid": 1234,
        "comm": "curl",
        "listeners": 0,
    }
    assert "pid" not in found[2]
    assert found[-1]["bytes_received"] == 222


@pytest.mark.parametrize("wide", [False, True])
def test_long_tables_are_cut(wide: bool):
    """Twenty lines and how many more there are; wide has them all."""
    rows = np.concatenate([connection(peer_address=f"10.0.0.{last}") for last in range(30)])
    text = tables(summarize(rows), wide=wide)
    assert text.count("10.0.0.") == (30 if wide else 20)
    assert ("and 10 more (-o wide)" in text) != wide


def test_unknown_traffic_counts_nothing():
    """The columns of a group that is not known say nothing."""
    found = lines(connection(known=Group.ENDS, bytes_sent=7))
    assert (found[0]["connections"], found[0]["bytes_sent"]) == (1, 0)


def test_sums_are_exact():
    """Beyond what a floating point number holds."""
    row = connection(bytes_sent=HUGE + 1)
    assert lines(np.concatenate((row, row, row)))[-1]["bytes_sent"] == 3 * (HUGE + 1)


def test_same_port_of_two_namespaces():
    """Is two ports."""
    rows = np.concatenate((listener(netns=1), listener(netns=2), connection(**SERVED, netns=2)))
    ports = [each for each in lines(rows) if each["by"] == "listening_port"]
    assert [(each["netns"], each["connections"]) for each in ports] == [(2, 1), (1, 0)]


@pytest.mark.parametrize(
    ("addresses", "exposure"),
    [
        (("127.0.0.1", "10.0.0.1"), "private"),
        (("127.0.0.1", "8.8.8.8", "10.0.0.1"), "public"),
        (("8.8.8.8", "0.0.0.0"), "all"),
        (("127.0.0.1",), "loopback"),
    ],
)
def test_exposure_of_a_port(addresses: tuple[str, ...], exposure: str):
    """That of the listener which most can reach."""
    rows = np.concatenate([listener(local_address=address) for address in addresses])
    (port,) = [each for each in lines(rows) if each["by"] == "listening_port"]
    assert port["exposure"] == exposure


@given(sensible_rows())
def test_counts_add_up(rows: Rows):
    """Each connection is in one process, and in the total."""
    found = lines(rows)
    connections = int((rows["state"] != State.LISTEN).sum())
    by_process = [each["connections"] for each in found if each["by"] == "process"]
    assert sum(int(str(each)) for each in by_process) == connections
    assert found[-1]["connections"] == connections


@given(any_rows())
def test_any_bytes_have_sums(rows: Rows):
    """And in the tables nothing can move a cursor."""
    assert tables(summarize(rows)).replace("\n", "").isprintable()


def test_nothing_has_totals():
    """An empty machine has a line of zeros."""
    assert [each["by"] for each in lines(np.zeros(0, ROW))] == ["total"]
