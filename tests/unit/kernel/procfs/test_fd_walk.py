"""Fd tables read at a limited rate, in a /proc made for the test."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from connscope.kernel.procfs.fd_walk import Held, confirm_held, walk_fds
from connscope.kernel.procfs.pace import Pace
from tests.unit.kernel.procfs.proc_tree import ProcTree


@pytest.fixture
def tree(tmp_path: Path) -> ProcTree:
    """An empty one."""
    return ProcTree(tmp_path)


@pytest.fixture
def pace() -> Pace:
    """One that does not slow anything down."""
    return Pace(1 << 20, 0)


def test_sockets_of_each_process(tree: ProcTree, pace: Pace):
    """What is no socket counts as read and is not shown; senseless links are passed over."""
    tree.process(4, None, "/dev/null", "socket:[70]", "pipe:[71]", "socket:[x]", "socket:[72]")
    tree.process(5, None, "socket:[72]")
    found = list(walk_fds((4, 5, 6), pace, tree.root))
    assert found == [Held(4, {70: "1", 72: "4"}), Held(5, {72: "0"})]
    assert pace.fds == 6


def test_large_table_is_read_in_several_ticks(tree: ProcTree):
    """The limit holds within a process, too."""
    tree.process(4, None, *(f"socket:[{inode}]" for inode in range(1, 26)))
    slept = list[float]()
    now = [0.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    (held,) = walk_fds((4,), Pace(10, 0.5, lambda: now[0], sleep), tree.root)
    assert (len(held.fds), slept) == (25, [0.5, 0.5])


def test_stop_ends_the_walk(tree: ProcTree):
    """In the middle of a table: what was seen is shown, and nothing more."""
    tree.process(4, None, *(f"socket:[{inode}]" for inode in range(1, 26)))
    tree.process(5, None, "socket:[72]")
    paces = list[Pace]()
    paces.append(Pace(10, 0.5, lambda: 0.0, lambda _: paces[0].stop()))
    (held,) = walk_fds((4, 5), paces[0], tree.root)
    assert (held.pid, len(held.fds)) == (4, 10)


def test_process_that_ends_while_it_is_read(
    tree: ProcTree, pace: Pace, monkeypatch: pytest.MonkeyPatch
):
    """It held what was seen until then, and the walk goes on."""
    tree.process(4, None, "socket:[70]", "socket:[71]")
    tree.process(5, None, "socket:[72]")
    read = os.readlink

    def read_link(name: str, **options: Any) -> str:
        link = str(read(name, **options))
        if link == "socket:[71]":
            raise FileNotFoundError
        return link

    monkeypatch.setattr(os, "readlink", read_link)
    found = list(walk_fds((4, 5), pace, tree.root))
    assert found == [Held(4, {70: "0"}), Held(5, {72: "0"})]


def test_table_that_may_not_be_read(tree: ProcTree, pace: Pace, monkeypatch: pytest.MonkeyPatch):
    """It is told apart from a process without sockets."""
    tree.process(4, None, "socket:[70]")

    def refuse(*_: Any, **__: Any) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "open", refuse)
    assert list(walk_fds((4,), pace, tree.root)) == [Held(4, {}, refused=True)]


def test_confirmed_are_those_that_are_still_so(tree: ProcTree, pace: Pace):
    """One descriptor was closed, one leads to another socket; only those asked for are read."""
    folder = tree.process(4, None, "socket:[70]", "socket:[71]", "socket:[72]", "socket:[73]")
    (held,) = walk_fds((4,), pace, tree.root)
    (folder / "fd/0").unlink()
    (folder / "fd/1").unlink()
    (folder / "fd/1").symlink_to("socket:[79]")
    wanted = Held(4, {inode: held.fds[inode] for inode in (70, 71, 72)})
    before = pace.fds
    assert confirm_held(wanted, pace, tree.root) == Held(4, {72: "2"})
    assert pace.fds - before == 3


def test_nothing_is_confirmed_of_a_process_that_has_ended(tree: ProcTree, pace: Pace):
    """Its folder is gone."""
    assert confirm_held(Held(4, {70: "1"}), pace, tree.root) == Held(4, {})
