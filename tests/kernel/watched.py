"""Connections that are looked at, and the programs that hold their ends."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from connscope.capture.btf.tier import BtfTier
from connscope.row.columns import Rows
from connscope.row.words import Kind, State
from tests.kernel.recorder import PATIENCE_S, describe, pick
from tests.traffic.build import built


def connect(server: socket.socket) -> tuple[socket.socket, socket.socket]:
    """Both ends of a new connection: client, server."""
    client = socket.create_connection(server.getsockname()[:2])
    return client, server.accept()[0]


def shown(tier: BtfTier, port: int, **columns: Any) -> Rows:
    """What a look shows with that port at either end."""
    return pick(tier.look(), port, Kind.SNAPSHOT, **columns)


def shown_until(tier: BtfTier, port: int, condition: Callable[[Rows], object]) -> Rows:
    """What the first look shows for which the condition holds: a handshake ends in a softirq, which
    may come later than its connect()."""
    end = time.monotonic() + PATIENCE_S
    while not condition(rows := shown(tier, port)):
        assert time.monotonic() < end, f"not seen within {PATIENCE_S} s: {describe(rows)}"
    return rows


def shown_ends(tier: BtfTier, port: int) -> tuple[Any, Any]:
    """The only connection of a listener: the client's row, the server's."""
    rows = shown(tier, port)
    connections = rows[rows["state"] != State.LISTEN]
    assert len(connections) == 2, connections
    (client,) = connections[connections["peer_port"] == port]
    (server,) = connections[connections["local_port"] == port]
    return client, server


@contextmanager
def running(program: str, *arguments: object, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A Python program; what it says and hears is text. It should end when its input does."""
    prelude = "import array, os, socket, sys, time\n"
    command = [sys.executable, "-c", prelude + program, *map(str, arguments)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options
    ) as process:
        yield process


@contextmanager
def started(name: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """The same with a C program of tests/traffic."""
    command = [str(built(name)), *map(str, arguments)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process


def line(process: subprocess.Popen[str]) -> str:
    """The next line that a program says."""
    assert process.stdout
    return process.stdout.readline().strip()


def fill(sender: socket.socket) -> int:
    """Sends until nothing more is accepted; how many bytes were."""
    sent = 0
    try:
        while True:
            sent += sender.send(bytes(65536))
    except BlockingIOError:
        return sent
