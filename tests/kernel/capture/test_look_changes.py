"""Looks between two that write all rows: only what something happened to is read again."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import numpy as np
import pytest

from connscope.capture.btf.look import ROWS_SPARE, SocketLook
from connscope.capture.btf.tier import BtfTier
from connscope.config import Config
from connscope.kernel.host.clock import boottime_ns
from connscope.row.words import OwnerEvidence
from tests.kernel.recorder import PATIENCE_S
from tests.kernel.watched import connect, fill, shown, shown_ends

SAME = [
    *("socket_id", "connection_id", "local_port", "peer_port", "state", "role"),
    *("bytes_sent", "bytes_received", "unread_bytes", "unacked_bytes"),
    *("segments_sent", "segments_received", "retransmits"),
    *("rtt_us", "rtt_var_us", "min_rtt_us", "queue_length", "queue_limit"),
]
STEPS = 40


@pytest.fixture
def tier() -> Iterator[BtfTier]:
    """A tier whose looks write all rows only once, the first."""
    with BtfTier(Config(accept_owner="listener", owner_check_interval_s=3600)) as opened:
        yield opened


@pytest.fixture
def thorough() -> Iterator[BtfTier]:
    """A tier that writes all rows in each look."""
    with BtfTier(Config(accept_owner="listener", owner_check_interval_s=0)) as opened:
        yield opened


class Traffic:
    """Connections to one listener to which something happens, one thing after the other."""

    def __init__(self, seed: int, stack: ExitStack) -> None:
        self._random, self._stack = random.Random(seed), stack
        self._listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self._ends: list[socket.socket] = []
        self.port = self._listener.getsockname()[1]

    def step(self) -> str:
        """What was done."""
        if len(self._ends) < 4 or self._random.random() < 0.15:
            return self._connect()
        end = self._random.choice(self._ends)
        act = self._random.choice((self._send, self._fill, self._receive, self._shut, self._close))
        with suppress(OSError):  # an end that was shut, or whose other one was closed
            act(end)
        return act.__name__

    def _connect(self) -> str:
        client = self._stack.enter_context(socket.create_connection(self._listener.getsockname()))
        self._ends.append(client)
        if self._random.random() < 0.8:  # else it waits in the queue
            self._ends.append(self._stack.enter_context(self._listener.accept()[0]))
        for end in self._ends:
            end.setblocking(False)
        return "_connect"

    def _send(self, end: socket.socket) -> None:
        end.send(bytes(self._random.randrange(1, 3000)))

    def _fill(self, end: socket.socket) -> None:
        fill(end)

    def _receive(self, end: socket.socket) -> None:
        end.recv(self._random.choice((1, 1000, 1 << 22)))

    def _shut(self, end: socket.socket) -> None:
        end.shutdown(socket.SHUT_WR)

    def _close(self, end: socket.socket) -> None:
        self._ends.remove(end)
        end.close()


def told(tier: BtfTier, port: int) -> list[Any]:
    """What a look says of a port, in an order of its own."""
    rows = shown(tier, port)
    return sorted(zip(*(rows[column].tolist() for column in SAME), strict=True))


def told_at_rest(tier: BtfTier, thorough: BtfTier, port: int) -> tuple[list[Any], list[Any]]:
    """What both say of a port between two moments in which nothing has happened there."""
    end_s = time.monotonic() + PATIENCE_S
    before = told(thorough, port)
    while True:
        ours, after = told(tier, port), told(thorough, port)
        if before == after:
            return ours, after
        assert time.monotonic() < end_s
        before = after


@pytest.mark.parametrize("seed", range(5))
def test_says_what_a_look_at_everything_says(tier: BtfTier, thorough: BtfTier, seed: int) -> None:
    """After each thing that happens."""
    tier.look()
    with ExitStack() as stack:
        traffic = Traffic(seed, stack)
        for number in range(STEPS):
            done = traffic.step()
            ours, all_ = told_at_rest(tier, thorough, traffic.port)
            assert ours == all_, (number, done, SAME)


def test_the_row_of_an_idle_connection_is_of_now(tier: BtfTier, listener: socket.socket) -> None:
    """It is known to be so at the time of the look, not only at that of its last segment."""
    port = listener.getsockname()[1]
    client, server = connect(listener)
    with client, server:
        before = shown(tier, port).copy()
        now_ns = boottime_ns()
        after = shown(tier, port)
    assert (after["time_ns"] >= now_ns).all()
    assert (np.sort(after["connection_id"]) == np.sort(before["connection_id"])).all()


def test_more_new_ones_than_there_is_room_for(tier: BtfTier, listener: socket.socket) -> None:
    """All are shown all the same."""
    port, count = listener.getsockname()[1], ROWS_SPARE
    listener.listen(8)
    tier.look()
    spare = len(tier.look()) // 8  # there was room for that, too
    with ExitStack() as stack:
        for _ in range(count + spare):
            for end in connect(listener):
                stack.enter_context(end)
        rows = shown(tier, port)
    assert len(rows) == 2 * (count + spare) + 1


def test_more_than_there_is_room_for_where_nothing_captures(listener: socket.socket) -> None:
    """`list` counts the sockets of its own namespace alone before it looks at those of all."""
    port, count = listener.getsockname()[1], ROWS_SPARE
    listener.listen(8)
    with SocketLook(None, {}, 3600) as look, ExitStack() as stack:
        for _ in range(count):
            for end in connect(listener):
                stack.enter_context(end)
        for _ in range(3):
            rows = look.look()
            assert (rows["local_port"] == port).sum() == count + 1
            assert (rows["peer_port"] == port).sum() == count


def test_idle_stranger_is_looked_for(listener: socket.socket) -> None:
    """Also if its row was written when it was too young to be one."""
    with BtfTier(Config(accept_owner="listener")) as tier:
        tier.look()
        end_s = time.monotonic() + Config().owner_check_interval_s - 1
        client, server = connect(listener)
        with client, server:
            _, incoming = shown_ends(tier, listener.getsockname()[1])
            while incoming["owner_evidence"] != OwnerEvidence.FD_TABLE:
                assert time.monotonic() < end_s
                _, incoming = shown_ends(tier, listener.getsockname()[1])
