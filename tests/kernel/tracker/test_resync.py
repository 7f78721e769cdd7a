"""A ring that overflows: what is lost is counted, and the next look puts everything right."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.kernel.tracker.crowd import Crowd
from tests.kernel.tracker.tracked import Tracked, ends, kernel_ends, repeated

from connscope.config import Config, load_config
from connscope.row.words import Kind, Tier

SMALL_RING = 4096  # holds 17 rows
BURST = 3000
HELD = 700
NEVER_S = 3600.0
RESYNC_S = 0.25


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Looks come only because something was lost."""
    tmp_path.chmod(0o700)
    return load_config(
        ring_bytes=SMALL_RING,
        look_interval_s=NEVER_S,
        reader_expires_s=24 * NEVER_S,
        debug_dir=str(tmp_path),
        tier="btf",
    )


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    """All in this process."""
    with Crowd() as made:
        yield made


def lost(tracked: Tracked) -> int:
    """How many rows are missing, by the lost rows that were told."""
    return int(tracked.told["lost"][tracked.told["kind"] == Kind.LOST].sum())


def take_next_look(tracked: Tracked) -> None:
    """The one that a loss brings about, and nothing but that one."""
    tracked.step(0)
    tracked.ahead_s += RESYNC_S
    tracked.step(0)


def test_lost_rows_are_told_and_counted(config: Config, crowd: Crowd) -> None:
    """So many as the tier counted where it lost them."""
    with Tracked(config) as tracked:
        crowd.churn(BURST)
        take_next_look(tracked)
        counted = tracked.tracker.losses().rows
        told = len(tracked.news(crowd.port))
    assert lost(tracked) == counted > 3 * BURST
    # 4 rows of each connection: told, or lost. Others on this machine may lose some too.
    assert 4 * BURST <= told + counted < 4 * BURST + 2000


def test_short_connections_that_were_lost_are_not_invented(config: Config, crowd: Crowd) -> None:
    """No look has seen them: they are in the count of lost rows, nothing else tells of them."""
    with Tracked(config) as tracked:
        crowd.churn(BURST)
        take_next_look(tracked)
        tracked.settle()
        news = tracked.news(crowd.port)
    assert len(news) < 40
    assert repeated(news) == {}
    assert len(tracked.table(crowd.port)) == 0


def test_next_look_shows_all_that_are_open(config: Config, crowd: Crowd) -> None:
    """None is missing, whatever was lost of them."""
    with Tracked(config) as tracked:
        crowd.open(HELD)
        take_next_look(tracked)
        assert ends(tracked.table(crowd.port)) == crowd.ends(crowd.pairs)
        crowd.churn(BURST)
        crowd.open(HELD)
        take_next_look(tracked)
        missing = set(crowd.ends(crowd.pairs)) - set(ends(tracked.table(crowd.port)))
    assert missing == set()


def test_second_look_ends_what_is_gone(config: Config, crowd: Crowd) -> None:
    """Of what was open and of whose end the row was lost; then the table is what ``ss`` has."""
    with Tracked(config) as tracked:
        first, second = crowd.open(HELD), crowd.open(HELD)
        take_next_look(tracked)
        crowd.close_all(first)
        crowd.churn(BURST)
        take_next_look(tracked)
        tracked.look()
        table = ends(tracked.table(crowd.port))
        assert len(tracked.news(crowd.port, Kind.CLOSED)) >= 2 * len(first)
        assert table == kernel_ends(crowd.port) == crowd.ends(second)


def test_nothing_is_told_twice(config: Config, crowd: Crowd) -> None:
    """An opening that a look has found, and of which an event came too; the same of ends."""
    with Tracked(config) as tracked:
        for _ in range(20):
            first = crowd.open(40)
            take_next_look(tracked)
            crowd.close_all(first)
            crowd.churn(20)
            take_next_look(tracked)
        tracked.settle()
        news = tracked.news(crowd.port)
    assert repeated(news) == {}
    assert len(tracked.news(crowd.port, Kind.OPENED)) >= 20 * 80
    assert len(tracked.news(crowd.port, Kind.CLOSED)) >= 20 * 80
    assert len(tracked.table(crowd.port)) == 0


def test_readers_get_each_end_once(config: Config, crowd: Crowd) -> None:
    """Also of connections whose end only looks have found."""
    with Tracked(config) as tracked:
        tracked.tracker.take("reader")
        held = crowd.open(HELD)
        take_next_look(tracked)
        crowd.close_all(held)
        take_next_look(tracked)
        tracked.settle()
        rows, dropped = tracked.tracker.take("reader")
    mine = rows[(rows["local_port"] == crowd.port) | (rows["peer_port"] == crowd.port)]
    assert dropped == 0
    assert len(mine) == 2 * HELD
    assert repeated(mine) == {}


def test_loss_does_not_end_the_tier(config: Config, crowd: Crowd) -> None:
    """It is answered by a look, not by a worse tier."""
    with Tracked(config) as tracked:
        for _ in range(5):
            crowd.churn(BURST // 5)
            take_next_look(tracked)
        assert [each.reason for each in tracked.tracker.changes] == ["start"]
        assert tracked.tier == Tier.BTF
    assert lost(tracked) == tracked.tracker.losses().rows > 0


def test_connections_of_other_processes_are_put_right_too(config: Config, crowd: Crowd) -> None:
    """Their owner is known after the look, though no event told of them."""
    program = (
        "import socket, sys\n"
        f"held = [socket.create_connection(('127.0.0.1', {crowd.port})) for _ in range(200)]\n"
        "print(len(held), flush=True); sys.stdin.read()"
    )
    with (
        Tracked(config) as tracked,
        subprocess.Popen(
            ["python3", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as client,
    ):
        assert client.stdout
        assert client.stdout.readline() == "200\n"
        take_next_look(tracked)
        rows = tracked.table(crowd.port)
        clients = rows[rows["peer_port"] == crowd.port]
        client.communicate()
    assert clients["pid"].tolist() == [client.pid] * 200
