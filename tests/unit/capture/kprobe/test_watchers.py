"""Who is found sitting in accept(), and what becomes of those whom the map has no room for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connscope.capture.kprobe import watchers
from connscope.capture.kprobe.watchers import ACCEPT_CALLS, AcceptWatchers, threads_in_accept


class FakeMap:
    """The map of watched threads, without a kernel."""

    def __init__(self, max_entries: int) -> None:
        self.max_entries = max_entries
        self.watched = set[int]()

    def write(self, keys: Any, values: Any) -> None:
        """All at once."""
        assert len(keys) == len(values) <= self.max_entries
        self.watched |= set(keys.tolist())

    def delete(self, key: Any) -> bool:
        """One."""
        self.watched.discard(int(key))
        return True

    def __iter__(self) -> Any:
        return iter([np.uint32(thread).tobytes() for thread in self.watched])


class FakeCore:
    """An object with that map, and the probes that are at work."""

    def __init__(self, max_entries: int) -> None:
        self.map = FakeMap(max_entries)
        self.maps = {"watched_threads": self.map}
        self.programs = {"thread_exits": None, "fd_install": None}
        self.probed = list[str]()

    def attach(self, program: None, function: str) -> FakeCore:
        """As `Kprobes` does."""
        assert program is None
        self.probed.append(function)
        return self

    def close(self) -> None:
        """Of a probe."""
        self.probed.pop()


def watch(core: FakeCore) -> AcceptWatchers:
    """The watchers of it."""
    return AcceptWatchers(core, core)  # type: ignore[arg-type]  # it stands for both


def test_threads_in_accept(tmp_path: Path) -> None:
    """Those that sleep there, or where that is not known those in such a call; each thread of a
    process by itself."""
    accept = ACCEPT_CALLS[os.uname().machine][1].decode()
    for pid, tid, wchan, call in (
        (5, 5, "inet_csk_accept", accept),
        (5, 6, "do_epoll_wait", "232"),
        (70, 70, "0", "running"),
        (70, 71, "inet_csk_wait_for_connect", accept),
        (70, 72, "unix_accept", accept),
        (70, 73, "0", f"{accept} 0x3 0x0"),
        (75, 75, "inet_csk_accept", accept),
        (76, 76, "do_epoll_wait", "232"),
    ):
        for folder in (f"{pid}/task/{tid}", f"{tid}"):
            thread = tmp_path / folder
            thread.mkdir(parents=True, exist_ok=True)
            (thread / "wchan").write_text(wchan)
            (thread / "syscall").write_text(f"{call}\n")
    (tmp_path / "80").mkdir()  # it ends meanwhile
    (tmp_path / "sys").mkdir()
    assert threads_in_accept(tmp_path) == [5, 71, 73, 75]


def test_more_threads_than_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are not watched are counted."""
    monkeypatch.setattr(watchers, "threads_in_accept", lambda: [11, 12, 13, 14, 15])
    monkeypatch.setattr(watchers, "_waits", lambda _: True)
    core = FakeCore(max_entries=3)
    with watch(core) as watching:
        assert (core.map.watched, watching.unwatched) == ({11, 12, 13}, 2)


def test_who_left_while_the_probes_came(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody saw it leave, so it is not watched; the others are."""
    monkeypatch.setattr(watchers, "threads_in_accept", lambda: [11, 12])
    monkeypatch.setattr(watchers, "_waits", lambda folder: folder != "/proc/11")
    core = FakeCore(max_entries=3)
    with watch(core):
        assert core.map.watched == {12}


def test_probes_stay_while_somebody_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """And go with the last one."""
    monkeypatch.setattr(watchers, "threads_in_accept", lambda: [11, 12])
    monkeypatch.setattr(watchers, "_waits", lambda _: True)
    core = FakeCore(max_entries=3)
    with watch(core) as watching:
        core.map.delete(11)
        watching.sweep()
        assert core.probed == ["do_exit", "fd_install"]
        core.map.delete(12)
        watching.sweep()
        assert core.probed == []


def test_nobody_in_accept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Needs no probes."""
    monkeypatch.setattr(watchers, "threads_in_accept", list)
    core = FakeCore(max_entries=3)
    with watch(core) as watching:
        assert (core.probed, watching.unwatched) == ([], 0)
