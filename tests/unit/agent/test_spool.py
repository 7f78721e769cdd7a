"""Reports that wait: nothing is lost but what is counted, and nothing grows without bound."""

from __future__ import annotations

import os
import tempfile
from collections import deque
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from connscope.agent import spool as module
from connscope.agent.spool import Spool, is_spool_file

BYTES_MAX = 200


def taken(spool: Spool) -> list[bytes]:
    """All that waits, oldest first; then nothing does."""
    found = []
    while (waiting := spool.first()) is not None:
        found.append(waiting[1])
        spool.remove(waiting[0])
    return found


class Model(RuleBasedStateMachine):
    """A spool beside a list of what should be in it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name)
        self.spool = Spool(self.path, BYTES_MAX, memory_bytes_max=BYTES_MAX)
        self.waiting = deque[bytes]()
        self.dropped = self.made = 0

    def teardown(self) -> None:
        """Takes the directory away."""
        self.folder.cleanup()

    @rule(size=st.integers(1, BYTES_MAX + 20))
    def put(self, size: int) -> None:
        """One more; each is another one where there is room for a difference."""
        content = f"{self.made:08}".encode().ljust(size, b".")[:size]
        self.made += 1
        self.spool.put(content)
        if size > BYTES_MAX:
            self.dropped += 1
            return
        self.waiting.append(content)
        while sum(map(len, self.waiting)) > BYTES_MAX:
            self.waiting.popleft()
            self.dropped += 1

    @rule()
    def deliver(self) -> None:
        """The oldest one goes."""
        found = self.spool.first()
        assert (found[1] if found else None) == (self.waiting[0] if self.waiting else None)
        if found:
            self.spool.remove(found[0])
            self.waiting.popleft()

    @rule(on_disk=st.booleans())
    def keep_on_disk(self, *, on_disk: bool) -> None:
        """The server goes away or comes back."""
        self.spool.keep_on_disk(on_disk)

    @rule(clean=st.booleans())
    def restart(self, *, clean: bool) -> None:
        """Of another agent, after what was on disk at least."""
        self.spool.keep_on_disk(True)
        if not clean:
            (self.path / f"{10**6:020}.part").write_bytes(b"half of o")
        self.spool = Spool(self.path, BYTES_MAX, memory_bytes_max=BYTES_MAX)
        self.dropped = 0

    @invariant()
    def is_counted(self) -> None:
        """What waits and what gave way."""
        assert (len(self.spool), self.spool.dropped) == (len(self.waiting), self.dropped)
        files = [each for each in self.path.iterdir() if each.suffix == ".report"]
        assert sum(each.stat().st_size for each in files) <= BYTES_MAX


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


@pytest.mark.parametrize("on_disk", [False, True])
def test_age_is_how_long_it_waited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_disk: bool):
    """Though the time of day is set meanwhile."""
    now_ns = 10**12
    monkeypatch.setattr(module, "boottime_ns", lambda: now_ns)
    spool = Spool(tmp_path, BYTES_MAX)
    spool.put(b"one")
    spool.keep_on_disk(on_disk)
    now_ns += 300 * 10**9
    monkeypatch.setattr("time.time_ns", lambda: 0)
    spool.put(b"two")
    one, two = spool._waiting
    assert (one.age_s(), two.age_s()) == (300, 0)


@pytest.mark.parametrize(("written_s", "age_s"), [(-3600, 3600), (60, 0)])
def test_age_of_what_another_agent_left_is_that_of_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written_s: int, age_s: int
):
    """Its machine may have booted meanwhile; a file of tomorrow did not wait at all."""
    spool = Spool(tmp_path, BYTES_MAX)
    spool.put(b"left")
    spool.keep_on_disk(True)
    (file,) = tmp_path.iterdir()
    now_ns = 10**18
    os.utime(file, ns=(0, now_ns + written_s * 10**9))
    monkeypatch.setattr("time.time_ns", lambda: now_ns)
    monkeypatch.setattr(module, "boottime_ns", lambda: 5 * 10**9)
    found, _ = Spool(tmp_path, BYTES_MAX).first() or pytest.fail("nothing waits")
    assert found.age_s() == age_s


def test_older_boots_go_first(tmp_path: Path):
    """Their clock was higher: a server that hears of the new boot first hears of no other then."""
    for content in (b"before the reboot", b"after it", b"later"):
        spool = Spool(tmp_path, BYTES_MAX)
        spool.put(content)
        spool.keep_on_disk(True)
    assert taken(Spool(tmp_path, BYTES_MAX)) == [b"before the reboot", b"after it", b"later"]


def test_what_is_no_report_is_left_alone(tmp_path: Path):
    """Nor is anything read that only looks like one."""
    foreign = ["notes", "1.report", f"{1:020}.report~", f"{1:020}"]
    for name in foreign:
        (tmp_path / name).write_text("precious")
    (tmp_path / f"{2:020}.report").mkdir()
    (tmp_path / f"{3:020}.report").symlink_to("/etc/passwd")
    spool = Spool(tmp_path, BYTES_MAX)
    spool.put(b"one")
    spool.keep_on_disk(True)
    assert taken(spool) == [b"one"]
    assert [(tmp_path / name).read_text() for name in foreign] == ["precious"] * 4
    assert (tmp_path / f"{3:020}.report").is_symlink()


def test_a_file_that_was_taken_away_is_counted(tmp_path: Path):
    """The others are delivered."""
    spool = Spool(tmp_path, BYTES_MAX)
    for content in (b"one", b"two", b"three"):
        spool.put(content)
    spool.keep_on_disk(True)
    sorted(tmp_path.iterdir())[1].unlink()
    assert taken(spool) == [b"one", b"three"]
    assert spool.dropped == 1


def test_a_file_that_grew_is_read_as_far_as_it_is_known(tmp_path: Path):
    """Memory is not for others to fill."""
    spool = Spool(tmp_path, BYTES_MAX)
    spool.put(b"one")
    spool.keep_on_disk(True)
    next(tmp_path.iterdir()).write_bytes(b"one" * 1000)
    assert taken(spool) == [b"one"]


def test_a_smaller_spool_drops_the_oldest_at_start(tmp_path: Path):
    """The bound is that of now."""
    spool = Spool(tmp_path, BYTES_MAX)
    for number in range(10):
        spool.put(b"%d" % number * 10)
    spool.keep_on_disk(True)
    smaller = Spool(tmp_path, 35)
    assert (len(smaller), smaller.dropped) == (3, 7)
    assert len(list(tmp_path.iterdir())) == 3


def test_nothing_is_written_while_a_server_takes_it(tmp_path: Path):
    """A disk is not worn for nothing."""
    spool = Spool(tmp_path, BYTES_MAX)
    spool.put(b"one")
    assert taken(spool) == [b"one"]
    assert not list(tmp_path.iterdir())


def test_more_than_memory_may_hold_goes_to_disk(tmp_path: Path):
    """Also where the server is only slow."""
    spool = Spool(tmp_path, BYTES_MAX, memory_bytes_max=20)
    for _ in range(10):
        spool.put(b"0123456789")
    assert sum(each.stat().st_size for each in tmp_path.iterdir()) >= 80
    assert len(taken(spool)) == 10


def test_a_full_disk_leaves_what_memory_may_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The oldest give way, counted; no half of a file stays."""

    def write_half(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(Path, "write_bytes", write_half)
    spool = Spool(tmp_path, BYTES_MAX, memory_bytes_max=30)
    spool.keep_on_disk(True)
    for number in range(10):
        spool.put(b"%d" % number * 10)
    assert not list(tmp_path.iterdir())
    assert spool.dropped == 7
    assert taken(spool) == [b"%d" % number * 10 for number in (7, 8, 9)]


def test_one_that_gave_way_can_be_removed_all_the_same(tmp_path: Path):
    """It was being sent meanwhile."""
    spool = Spool(tmp_path, 10)
    spool.put(b"0" * 10)
    first = spool.first()
    spool.put(b"1" * 10)
    assert first
    spool.remove(first[0])
    assert taken(spool) == [b"1" * 10]


@pytest.mark.parametrize("name", ["", "x", "1.report", f"{1:020}.reports", "٣" * 20 + ".report"])
def test_names_of_others(name: str):
    """Only digits of ASCII, twenty of them."""
    assert not is_spool_file(name)
    assert is_spool_file(f"{1:020}.report")
