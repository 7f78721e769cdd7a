"""Passes of the procfs tier through a /proc made for the test."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connscope.capture.procfs import passes
from connscope.capture.procfs.passes import PassResult, ProcfsPasses
from connscope.capture.procfs.tier import ProcfsTier, next_period_s
from connscope.config import Config
from connscope.errors import FailedError, NotSupportedError
from connscope.kernel.procfs.pace import Pace
from connscope.row.words import Group, OwnerEvidence, State
from tests.unit.kernel.procfs.proc_tree import HEADER, ProcTree, net_line


class Clock:
    """Time that passes only while somebody sleeps.

    Attributes:
        now_s: what it shows.
        on_sleep: what else happens in a sleep.
    """

    def __init__(self) -> None:
        self.now_s = 0.0
        self.on_sleep: Callable[[], object] = lambda: None

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        """Time passes."""
        self.now_s += seconds
        self.on_sleep()


class Passes:
    """Passes with a clock of their own."""

    def __init__(self, tree: ProcTree, interval_s: float = 5.0, fds_per_tick: int = 300) -> None:
        self.clock = Clock()
        self.pace = Pace(fds_per_tick, 1.0, self.clock, self.clock.sleep)
        self.passes = ProcfsPasses(tree.root, interval_s, self.clock)

    def run(self) -> PassResult:
        """The next one."""
        found = self.passes.run(self.pace)
        assert found
        return found

    def owners(self) -> dict[int, int]:
        """The owner of each socket of the next one; 0 for none."""
        rows = self.run().sockets
        return dict(zip(rows["socket_inode"].tolist(), rows["pid"].tolist(), strict=True))


@pytest.fixture
def tree(tmp_path: Path) -> ProcTree:
    """An empty one."""
    return ProcTree(tmp_path)


def lines(*inodes: int) -> bytes:
    """A file with these sockets, each with a port of its own."""
    return b"".join(
        net_line(at, local=f"0100007F:{at + 1:04X}", inode=inode) for at, inode in enumerate(inodes)
    )


def test_lowest_pid_of_any_namespace(tree: ProcTree):
    """A socket may be held by processes of other namespaces than its own."""
    first, second = tree.namespace("first", tcp=lines(70)), tree.namespace("second", tcp=lines(71))
    tree.process(9, first, "socket:[70]", "socket:[71]")
    tree.process(8, second, "socket:[70]")
    tree.process(10, second, "socket:[71]")
    assert Passes(tree).owners() == {70: 8, 71: 9}


def test_row_without_a_holder_has_no_process(tree: ProcTree):
    """Also if the row before has one: nothing is taken over."""
    tree.process(4, tree.namespace("only", tcp=lines(70, 71)), "socket:[70]")
    first, second = Passes(tree).run().sockets
    assert (first["pid"], first["owner_evidence"]) == (4, OwnerEvidence.FD_TABLE)
    assert (second["pid"], second["owner_evidence"]) == (0, OwnerEvidence.UNKNOWN)
    assert second["comm"].tobytes() == bytes(16)
    assert not second["known"] & Group.OWNER


def test_each_socket_without_inode_is_a_row(tree: ProcTree):
    """Orphans: told apart by their ends, in each look the same."""
    tree.process(4, tree.namespace("only", tcp=lines(0, 0, 70, 0)))
    passes = Passes(tree)
    first, second = (passes.run().sockets["connection_id"] for _ in range(2))
    assert len(np.unique(first)) == 4
    assert (first == second).all()
    assert (first != 0).all()


def test_ids_of_two_namespaces_differ(tree: ProcTree):
    """The same ends, and no inode."""
    for pid in (4, 5):
        tree.process(pid, tree.namespace(str(pid), tcp=lines(0)))
    assert len(np.unique(Passes(tree).run().sockets["connection_id"])) == 2


def test_id_stays_when_a_file_comes_and_goes(tree: ProcTree):
    """Waiting to be accepted, accepted, closed by its program; then the same ends anew."""
    namespace = tree.namespace("only", tcp=lines(0))
    tree.process(4, namespace)
    passes = Passes(tree)
    found = list[int]()
    for inode in (0, 70, 0, 0, 71, 71):
        (namespace / "tcp").write_bytes(HEADER + lines(inode))
        found += passes.run().sockets["connection_id"].tolist()
    assert len(set(found[:4])) == 1
    assert found[4] == found[5] != found[0]


def test_listeners_of_one_port_are_several(tree: ProcTree):
    """SO_REUSEPORT: each has an id, which it keeps."""
    listener = [
        net_line(peer="00000000:0000", state=State.LISTEN, inode=inode) for inode in (70, 71)
    ]
    tree.process(4, tree.namespace("only", tcp=b"".join(listener)))
    passes = Passes(tree)
    first, second = (passes.run().sockets["connection_id"].tolist() for _ in range(2))
    assert first == second
    assert len(set(first)) == 2


def test_socket_that_a_file_shows_twice_is_one_row(tree: ProcTree):
    """As happens when it changes while it is read."""
    tree.process(4, tree.namespace("only", tcp=lines(70) * 2))
    assert len(Passes(tree).run().sockets) == 1


def test_orphan_that_waits_is_a_socket_and_time_wait_is_none(tree: ProcTree):
    """Both are in FIN_WAIT2 without an inode; the timer tells them apart."""
    orphan = net_line(state=State.FIN_WAIT2, inode=0, timer=2)
    waits = net_line(local="0100007F:0001", state=State.FIN_WAIT2, inode=0, timer=3)
    requested = net_line(local="0100007F:0002", state=State.SYN_RECV, inode=0, timer=1)
    tree.process(4, tree.namespace("only", tcp=orphan + waits + requested))
    found = Passes(tree).run()
    assert found.sockets["local_port"].tolist() == [0x19]
    assert found.minisockets["local_port"].tolist() == [1, 2]


def test_garbage_is_counted(tree: ProcTree):
    """What makes sense is shown."""
    tree.process(4, tree.namespace("only", tcp=b"what\n" + lines(70) + b"\xff\n", udp6=b"cut"))
    found = Passes(tree).run()
    assert (len(found.sockets), found.malformed) == (1, 3)


def test_process_that_vanishes_between_files_and_fds(tree: ProcTree):
    """Its sockets have no owner, those of others have theirs, and nothing is raised."""
    namespace = tree.namespace("only", tcp=lines(70, 71))
    tree.process(4, namespace, "socket:[70]")
    tree.process(5, namespace, "socket:[71]")
    (tree.root / "4/fd/0").unlink()
    (tree.root / "4/fd").rmdir()
    assert Passes(tree).owners() == {70: 0, 71: 5}


def test_process_that_has_no_name_any_more(tree: ProcTree):
    """It has ended after its descriptors were read: no owner rather than half of one."""
    folder = tree.process(4, tree.namespace("only", tcp=lines(70)), "socket:[70]")
    (folder / "stat").unlink()
    assert Passes(tree).owners() == {70: 0}


def test_new_socket_is_searched_for(tree: ProcTree):
    """Before it is time to compare all; the search ends when it is found."""
    namespace = tree.namespace("only", tcp=lines(70))
    tree.process(4, namespace, "socket:[70]")
    tree.process(5, namespace, "/dev/null")
    tree.process(6, namespace, *["/dev/null"] * 9)
    passes = Passes(tree)
    assert (passes.owners(), passes.pace.fds) == ({70: 4}, 11)
    assert (passes.owners(), passes.pace.fds) == ({70: 4}, 12)
    (namespace / "tcp").write_bytes(HEADER + lines(70, 71))
    (tree.root / "5/fd/1").symlink_to("socket:[71]")
    assert (passes.owners(), passes.pace.fds) == ({70: 4, 71: 5}, 12 + 1 + 3)


def test_socket_without_holder_is_searched_for_once(tree: ProcTree):
    """Until all fd tables are compared again."""
    namespace = tree.namespace("only", tcp=lines(70, 71))
    tree.process(4, namespace, "socket:[70]", "/dev/null")
    passes = Passes(tree)
    assert (passes.owners(), passes.pace.fds) == ({70: 4, 71: 0}, 2)
    assert (passes.owners(), passes.pace.fds) == ({70: 4, 71: 0}, 3)
    (tree.root / "4/fd/2").symlink_to("socket:[71]")
    passes.clock.now_s += 5
    assert (passes.owners(), passes.pace.fds) == ({70: 4, 71: 4}, 6)


def test_socket_that_was_passed_on(tree: ProcTree):
    """The holder that was remembered has closed it; the new one is found at once."""
    namespace = tree.namespace("only", tcp=lines(70))
    tree.process(4, namespace, "socket:[70]")
    tree.process(5, namespace, "socket:[70]")
    passes = Passes(tree)
    assert passes.owners() == {70: 4}
    (tree.root / "4/fd/0").unlink()
    assert passes.owners() == {70: 5}


def test_files_are_read_again_in_each_tick(tree: ProcTree):
    """A socket that opens in the middle of a pass is there with its owner."""
    namespace = tree.namespace("only", tcp=lines(70))
    tree.process(4, namespace, *["/dev/null"] * 9, "socket:[70]")
    tree.process(5, namespace, "socket:[71]")
    passes = Passes(tree, fds_per_tick=5)
    passes.clock.on_sleep = lambda: (namespace / "tcp").write_bytes(HEADER + lines(70, 71))
    assert passes.owners() == {70: 4, 71: 5}


def test_rate_holds_in_a_pass(tree: ProcTree, monkeypatch: pytest.MonkeyPatch):
    """No more fds are read at any time than the ticks so far allow, in whatever kind of pass."""
    namespace = tree.namespace("only", tcp=lines(*range(100, 150)))
    for pid in range(1, 6):
        links = [f"socket:[{inode}]" for inode in range(90 + pid * 10, 100 + pid * 10)]
        tree.process(pid, namespace, *links, *["/dev/null"] * 13)
    passes = Passes(tree, interval_s=1000, fds_per_tick=7)
    read, seen = os.readlink, list[float]()

    def read_link(name: str, **options: Any) -> str:
        seen.append(passes.clock.now_s)
        assert len(seen) <= 7 * (passes.clock.now_s + 1)
        return str(read(name, **options))

    monkeypatch.setattr(os, "readlink", read_link)
    passes.run()
    assert len(seen) == 5 * 23
    passes.run()
    assert len(seen) == passes.pace.fds == 5 * 23 + 50


def test_network_namespace_that_may_not_be_asked_for(tree: ProcTree):
    """Its sockets are shown, its number is not known, and that is said."""
    (tree.process(4, tree.namespace("only", tcp=lines(70)), "socket:[70]") / "ns/net").unlink()
    with ProcfsTier(Config(), tree.root) as tier:
        (row,) = tier.look()
        assert (row["netns"], row["pid"], row["exact"]) == (0, 4, 0)
        assert any("have no number" in limit for limit in tier.limits)


def test_proc_root_of_the_configuration(tree: ProcTree):
    """As in a container with the machine's proc file system."""
    tree.process(4, tree.namespace("only", tcp=lines(70)), "socket:[70]")
    with ProcfsTier(Config(proc_root=str(tree.root))) as tier:
        assert tier.look()["pid"].tolist() == [4]


def test_proc_root_without_a_process(tmp_path: Path):
    """The message names the next step."""
    with pytest.raises(NotSupportedError, match="mount proc there, or set proc_root"):
        ProcfsTier(Config(), tmp_path).open()


def test_proc_root_that_is_not_there(tmp_path: Path):
    """The same."""
    with pytest.raises(NotSupportedError, match="set proc_root"):
        ProcfsTier(Config(), tmp_path / "proc").open()


def test_late_pass_is_counted_and_said(tree: ProcTree, monkeypatch: pytest.MonkeyPatch):
    """One that took longer than `procfs_warn_s`."""
    tree.process(4, tree.namespace("only"))
    with ProcfsTier(Config(procfs_warn_s=0.1), tree.root) as tier:
        tier.look()
        assert (tier.passes, tier.late_passes) == (1, 0)
        found = PassResult(tier.last.sockets, tier.last.minisockets, took_s=16.0)
        monkeypatch.setattr(ProcfsPasses, "run", lambda *_: found)
        tier.look()
        assert (tier.passes, tier.late_passes) == (2, 1)
        assert any("took 16 s" in limit for limit in tier.limits)


@pytest.mark.parametrize("background", [False, True])
def test_proc_that_can_not_be_read_any_more(
    tree: ProcTree, monkeypatch: pytest.MonkeyPatch, *, background: bool
):
    """A look says so; the background tries again."""
    tree.process(4, tree.namespace("only"))

    def refuse(*_: Any) -> PassResult:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(passes.ProcfsPasses, "run", refuse)
    with ProcfsTier(Config(), tree.root, background=background) as tier:
        while background and tier._failure is None:
            tier.wait(0.001)
        with pytest.raises(FailedError, match="Input/output error"):
            tier.look()


@pytest.mark.parametrize(
    ("took_s", "period_s", "wanted_s"),
    [(10, 0.2, 0.2), (5, 0.2, 0.4), (20, 0.2, 0.1), (100, 0.2, 0.05), (0, 0.05, 0.5)],
)
def test_period_makes_a_pass_take_its_time(took_s: float, period_s: float, wanted_s: float):
    """Longer after a short pass, shorter after a long one, within 50 and 500 ms."""
    assert next_period_s(took_s, period_s, Config()) == pytest.approx(wanted_s)
