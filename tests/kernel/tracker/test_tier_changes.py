"""1,000 live connections while one tier follows another: nothing is told of them."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.kernel.tracker.crowd import Crowd
from tests.kernel.tracker.tracked import (
    Tracked,
    ends,
    holdings,
    in_kernel,
    repeated,
    thread_names,
    until_gone,
)

from connscope.config import Config, load_config
from connscope.row.columns import Rows
from connscope.row.words import Group, Kind, Tier
from connscope.table.merge import COUNTERS

LIVE = 1000
A_RETRY_S = 3700.0
FDS = 2 * LIVE + 2000


@pytest.fixture(autouse=True)
def many_fds() -> Iterator[None]:
    """Room for both ends of all of them."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    hard = max(before[1], FDS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], FDS), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """With a debug directory that is root's alone."""
    tmp_path.chmod(0o700)
    return load_config(look_interval_s=0.2, debug_dir=str(tmp_path), tier="auto")


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    """All in this process."""
    with Crowd() as made:
        yield made


def walk_through_all_tiers(tracked: Tracked) -> Iterator[Tier]:
    """btf, again btf, netlink, again netlink, procfs, and up to btf; each is given when it has
    captured for a while."""
    for step in (tracked.kill, tracked.kill, tracked.kill, tracked.kill, None):
        if step:
            step()
        else:
            tracked.ahead_s += A_RETRY_S
            tracked.step(0)
        tracked.settle()
        assert tracked.tier
        yield tracked.tier


ALL_TIERS = [Tier.BTF, Tier.NETLINK, Tier.NETLINK, Tier.PROCFS, Tier.BTF]


def check_that_they_are_as_before(before: Rows, now: Rows) -> None:
    """Each connection is the one that it was, and nothing that was counted is taken back."""
    for column in ("connection_id", "opened_ns", "local_port", "peer_port", "netns"):
        assert (now[column] == before[column]).all(), column
    for column in ("pid", "comm", "uid"):
        assert (now[column] == before[column]).all(), column
    for column in COUNTERS:
        assert (now[column] >= before[column]).all(), column
    proven = before["exact"] & np.uint16(Group.OWNER) != 0
    assert (now["exact"][proven] & np.uint16(Group.OWNER) != 0).all()


def test_live_connections_are_not_told_again(config: Config, crowd: Crowd) -> None:
    """Not one row; each keeps its id, its owner and when it opened; no counter falls."""
    older = crowd.open(LIVE // 2)
    with Tracked(config) as tracked:
        held = older + crowd.open(LIVE - len(older))
        tracked.until(lambda: len(tracked.table(crowd.port)) == 2 * LIVE)
        tracked.settle()
        told = tracked.news(crowd.port)
        assert told["kind"].tolist() == [Kind.OPENED] * LIVE
        before, seen = tracked.table(crowd.port), []
        for tier in walk_through_all_tiers(tracked):
            seen.append(tier)
            crowd.exchange(held[::10], 1000)
            tracked.settle()
            now = tracked.table(crowd.port)
            assert len(now) == 2 * LIVE
            check_that_they_are_as_before(before, now)
            before = now
        assert seen == ALL_TIERS
        assert len(tracked.news(crowd.port)) == len(told)
        crowd.close_all(held)
        tracked.until(lambda: len(tracked.news(crowd.port, Kind.CLOSED)) == 2 * LIVE)
        assert repeated(tracked.news(crowd.port)) == {}
        assert (np.sort(tracked.news(crowd.port, Kind.CLOSED)["connection_id"])).tolist() == sorted(
            before["connection_id"].tolist()
        )


def test_bytes_are_those_of_the_application_after_all_changes(config: Config, crowd: Crowd) -> None:
    """What was sent under each tier is in the closed row, exactly."""
    with Tracked(config) as tracked:
        held = crowd.open(10)
        rounds = 0
        for _ in walk_through_all_tiers(tracked):
            crowd.exchange(held, 1234)
            rounds += 1
        crowd.close_all(held)
        tracked.until(lambda: len(tracked.news(crowd.port, Kind.CLOSED)) == 20)
        closed = tracked.news(crowd.port, Kind.CLOSED)
    assert (closed["bytes_sent"] + closed["bytes_received"]).tolist() == [1234 * rounds] * 20


def test_what_opens_and_closes_meanwhile_is_told_once(config: Config, crowd: Crowd) -> None:
    """Just before and just after each change, and while each tier captures."""
    with Tracked(config) as tracked:
        held, opened, closed = crowd.open(10), 10, 0
        for _ in walk_through_all_tiers(tracked):
            held += crowd.open(5)
            tracked.settle()
            crowd.close_all(held[:5])
            held = held[5:] + crowd.open(5)  # told of nobody yet when the tier dies
            opened, closed = opened + 10, closed + 5
        tracked.settle()
        tracked.until(lambda: len(tracked.news(crowd.port, Kind.CLOSED)) == 2 * closed)
        tracked.until(lambda: len(tracked.news(crowd.port, Kind.OPENED)) == 2 * opened)
        tracked.settle()
        assert len(tracked.news(crowd.port)) == 2 * (opened + closed)
        assert repeated(tracked.news(crowd.port)) == {}
        assert ends(tracked.table(crowd.port)) == crowd.ends(held)


def test_connections_that_end_while_nothing_captures_are_told_closed(
    config: Config, crowd: Crowd
) -> None:
    """Between the end of one tier and the start of the next; the new one's looks tell."""
    with Tracked(config) as tracked:
        held = crowd.open(20)
        tracked.settle()
        tracked.before_opening = lambda: crowd.close_all(held)
        tracked.kill()
        assert tracked.tier == Tier.BTF
        tracked.settle()
        assert len(tracked.news(crowd.port, Kind.CLOSED)) == 40
        assert len(tracked.table(crowd.port)) == 0
        assert repeated(tracked.news(crowd.port)) == {}


def test_nothing_of_a_dead_tier_is_left(config: Config) -> None:
    """No descriptor, no thread, no program, map or link; and nothing at all after the end."""
    first = holdings()
    with Tracked(config) as tracked:
        alone, dead = {tracked.tier: holdings()}, holdings().bpf - first.bpf
        assert dead
        for tier in walk_through_all_tiers(tracked):
            now = holdings()
            until_gone(dead)
            expected = alone.setdefault(tier, now)
            assert (now.fds, now.threads) == (expected.fds, expected.threads)
            assert {kind for kind, _ in now.bpf} == {kind for kind, _ in expected.bpf}
            assert len(now.bpf) == len(expected.bpf)
            dead = now.bpf - first.bpf
        assert not in_kernel(dead & alone[Tier.NETLINK].bpf)
    until_gone(dead)
    assert holdings() == first


def test_programs_and_links_are_only_those_of_the_tier_that_captures(config: Config) -> None:
    """Without BPF there are none."""
    before = holdings().bpf
    with Tracked(config) as tracked:
        kinds = {kind for kind, _ in holdings().bpf - before}
        assert kinds == {"prog", "map", "link"}
        for worse in (Tier.NETLINK, Tier.PROCFS):
            tracked.kill_twice()
            assert (tracked.tier, holdings().bpf) == (worse, before)
        assert "procfs" not in thread_names()


def test_reasons_of_all_changes_are_kept(config: Config) -> None:
    """Which tier followed which, and why."""
    with Tracked(config) as tracked:
        list(walk_through_all_tiers(tracked))
        found = [(each.before, each.after, each.reason) for each in tracked.tracker.changes]
    assert found == [
        (None, Tier.BTF, "start"),
        (Tier.BTF, Tier.BTF, "btf: the kill switch was pulled"),
        (Tier.BTF, Tier.NETLINK, "btf: the kill switch was pulled"),
        (Tier.NETLINK, Tier.NETLINK, "netlink: the kill switch was pulled"),
        (Tier.NETLINK, Tier.PROCFS, "netlink: the kill switch was pulled"),
        (Tier.PROCFS, Tier.BTF, "tried again"),
    ]


def test_socket_of_ours_stays_open_through_all_changes(config: Config, crowd: Crowd) -> None:
    """Changes touch nothing of the process but what is the tier's."""
    held = crowd.open(1)
    with Tracked(config) as tracked:
        list(walk_through_all_tiers(tracked))
    client, server = held[0]
    client.sendall(b"still here")
    assert server.recv(10, socket.MSG_WAITALL) == b"still here"
