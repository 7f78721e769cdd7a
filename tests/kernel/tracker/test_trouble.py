"""What happens to a tracker on a machine where things go wrong."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from tests.kernel.descriptors import fds_left
from tests.kernel.recorder import PATIENCE_S
from tests.kernel.tracker.child import ask, tracking
from tests.kernel.tracker.crowd import Crowd
from tests.kernel.tracker.tracked import Tracked, ends, holdings, kernel_ends, repeated, until_gone

from connscope.config import Config, load_config
from connscope.errors import KernelError
from connscope.row.words import Kind, Tier

STOPPED_S = 3.0
SMALL_RING, LARGE_RING = 4096, 1 << 27
A_REST_S = 61.0


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    """Nobody else may kill the tier."""
    tmp_path.chmod(0o700)
    return {"debug_dir": str(tmp_path), "look_interval_s": 0.1, "owner_check_interval_s": 0.0}


@pytest.fixture
def config(settings: dict[str, Any]) -> Config:
    """The same for a tracker of this process."""
    return load_config(**settings)


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    """All in this process."""
    with Crowd() as made:
        yield made


class TestNoFdsLeft:
    """RLIMIT_NOFILE is used up."""

    @pytest.mark.parametrize("tier", ["auto", "btf", "netlink", "procfs"])
    def test_look_that_fails_tells_nothing(self, config: Config, crowd: Crowd, tier: str) -> None:
        """Nothing is said to be closed, and with descriptors the first choice captures again."""
        crowd.open(20)
        forced = load_config(**{**_keys(config), "tier": tier})
        with Tracked(forced) as tracked:
            crowd.open(20)
            tracked.settle()
            first, told = tracked.tier, len(tracked.news(crowd.port))
            with fds_left(0):
                tracked.settle()
                # What the netlink tier gives back may be enough for it to start again.
                assert tracked.tier != first or tier == "netlink"
                assert "oo many open files" in tracked.tracker.changes[-1].reason
            assert ends(tracked.table(crowd.port)) == crowd.ends(crowd.pairs)
            new = crowd.open(5)
            tracked.ahead_s += A_REST_S
            tracked.until(lambda: tracked.tier == first)
            tracked.settle()
            assert len(tracked.news(crowd.port)) == told + 2 * len(new)
            assert repeated(tracked.news(crowd.port)) == {}
            assert ends(tracked.table(crowd.port)) == crowd.ends(crowd.pairs)

    @pytest.mark.parametrize("count", range(40))
    def test_start_falls_back_or_says_why_not(self, config: Config, count: int) -> None:
        """Whatever it was that found no descriptor; and nothing is left of what was tried."""
        before = holdings()
        reasons = list[str]()
        with fds_left(count):
            try:
                with Tracked(config) as tracked:
                    reasons += map(str, tracked.tracker.refusals.values())
                    assert tracked.tier in (Tier.NETLINK, Tier.PROCFS)
            except KernelError as error:
                reasons.append(str(error))
        assert any("oo many open files" in reason for reason in reasons)
        assert holdings().fds == before.fds
        assert holdings().bpf == before.bpf

    def test_start_works_once_there_are_some(self, config: Config) -> None:
        """Nothing is remembered of the failure."""
        with fds_left(0), pytest.raises(KernelError, match="oo many open files"):
            Tracked(config)
        with Tracked(config) as tracked:
            assert tracked.tier == Tier.BTF


def _keys(config: Config) -> dict[str, Any]:
    names = ("debug_dir", "look_interval_s", "owner_check_interval_s")
    return {name: getattr(config, name) for name in names}


def silence(tracked: Tracked) -> None:
    """Detaches the programs behind the tier's back; it is open, and hears nothing any more."""
    tier = cast("Any", tracked.tracker.tier)
    for link in tier._core._links:  # there is no other way: nobody should
        link.close()


class TestSilenced:
    """The programs were detached behind our back."""

    def test_tier_is_replaced(self, config: Config, crowd: Crowd) -> None:
        """After three looks with news that no event told; then events come again."""
        with Tracked(config) as tracked:
            silence(tracked)
            for number in range(3):
                assert len(tracked.tracker.changes) == 1, number
                crowd.open(4)
                tracked.look()
            assert [each.after for each in tracked.tracker.changes] == [Tier.BTF, Tier.BTF]
            reason = tracked.tracker.changes[-1].reason
            assert reason.startswith("btf: looks found ")
            assert reason.endswith(" connections, and its events told of none")
            corrected = tracked.tracker.table.corrections.openings
            held = crowd.open(4)
            tracked.until(lambda: len(tracked.news(crowd.port, Kind.OPENED)) == 32)
            exact = tracked.news(crowd.port, Kind.OPENED)[-2 * len(held) :]["exact"]
        assert corrected >= 24
        assert (exact & 32).all()  # the kernel said when they opened

    def test_nothing_is_missing_or_told_twice(self, config: Config, crowd: Crowd) -> None:
        """What opened and closed in the silence, as far as a look could see it."""
        with Tracked(config) as tracked:
            silence(tracked)
            for _ in range(4):
                held = crowd.open(5)
                tracked.look()
                crowd.close_all(held)
            tracked.settle()
            news = tracked.news(crowd.port)
        assert (len(news), repeated(news)) == (2 * 2 * 20, {})


class TestStopped:
    """The process was stopped by a signal, and went on later."""

    @pytest.mark.parametrize("ring_bytes", [SMALL_RING, LARGE_RING])
    def test_table_is_right_afterwards(
        self, settings: dict[str, Any], crowd: Crowd, ring_bytes: int
    ) -> None:
        """Under load; what found no room is counted, and what did find it is told."""
        with tracking(**settings, ring_bytes=ring_bytes) as process:
            crowd.open(50)
            process.send_signal(signal.SIGSTOP)
            until_stopped(process.pid)
            end, made = time.monotonic() + STOPPED_S, 0
            while time.monotonic() < end:
                crowd.churn(20)
                made += 20
            crowd.close_all(crowd.pairs[:25])
            held = crowd.open(25)
            process.send_signal(signal.SIGCONT)
            found = ask(process, crowd.port, looks=4)
        assert sorted(found["ids"]) == sorted(map(str, crowd.ends(crowd.pairs)))
        assert found["repeated"] == 0
        assert found["lost"] == found["counted"]
        assert found["changes"] == ["start"]
        if not found["lost"]:
            assert found["opened"] == 2 * (50 + made + len(held))
            assert found["closed"] == 2 * (25 + made)
        assert bool(found["lost"]) == (ring_bytes == SMALL_RING)


def until_stopped(pid: int) -> None:
    """Waits until a process does not run."""
    end = time.monotonic() + PATIENCE_S
    while Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "T":
        assert time.monotonic() < end


def test_without_tracefs_all_is_the_same(settings: dict[str, Any], crowd: Crowd) -> None:
    """Nothing of ours goes by way of it: it is unmounted in a mount namespace of the tracker's."""
    gone = "umount -R /sys/kernel/tracing /sys/kernel/debug 2>/dev/null; ! test -e "
    script = f'{gone}/sys/kernel/tracing/events && ! test -e /sys/kernel/debug/tracing && exec "$@"'
    with tracking("unshare", "-m", "sh", "-c", script, "sh", **settings) as process:
        crowd.close_all(crowd.open(10))
        crowd.open(10)
        found = ask(process, crowd.port, looks=3)
    assert (found["tier"], found["changes"]) == ("btf", ["start"])
    assert (found["opened"], found["closed"], len(found["ids"])) == (40, 20, 20)


class TestKilled:
    """The process of a tracker was ended by SIGKILL."""

    def test_nothing_stays_in_the_kernel(self, settings: dict[str, Any]) -> None:
        """No program, no map, no link."""
        with tracking(**settings) as process:
            bpf = holdings(process.pid).bpf
            process.kill()
            process.wait()
        assert {kind for kind, _ in bpf} == {"prog", "map", "link"}
        until_gone(bpf)

    def test_next_one_has_the_same_ids(self, settings: dict[str, Any], crowd: Crowd) -> None:
        """Of all connections that are open, whoever opened first."""
        crowd.open(30)
        with tracking(**settings) as process:
            crowd.open(30)
            first = ask(process, crowd.port, looks=2)["ids"]
            process.kill()
            process.wait()
        with tracking(**settings) as process:
            again = ask(process, crowd.port, looks=2)
        assert len(first) == 120
        assert again["ids"] == first
        assert (again["opened"], again["closed"]) == (0, 0)

    def test_client_that_is_killed_is_told_closed(self, config: Config, crowd: Crowd) -> None:
        """The other way round: the kernel closes for it, and events tell."""
        program = f"import socket; held = socket.create_connection(('127.0.0.1', {crowd.port}))\n"
        with Tracked(config) as tracked:
            with subprocess.Popen(
                ["python3", "-c", program + "print(1, flush=True); input()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            ) as client:
                assert client.stdout
                client.stdout.readline()
                client.kill()
            tracked.until(lambda: len(tracked.news(crowd.port, Kind.CLOSED)) >= 1)
        assert kernel_ends(crowd.port) != []
