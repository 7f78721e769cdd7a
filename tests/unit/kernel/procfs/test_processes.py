"""Processes by network namespace, in a /proc made for the test."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from connscope.kernel.procfs.processes import (
    Process,
    group_processes,
    read_net_texts,
    read_process,
)
from tests.unit.kernel.procfs.proc_tree import HEADER, ProcTree, net_line

TICK_NS = 10**9 // os.sysconf("SC_CLK_TCK")


@pytest.fixture
def tree(tmp_path: Path) -> ProcTree:
    """An empty one."""
    return ProcTree(tmp_path)


def test_processes_of_two_namespaces(tree: ProcTree):
    """Each has its processes in the order of their numbers."""
    first, second = tree.namespace("first"), tree.namespace("second")
    for pid, namespace in ((10, first), (9, first), (8, second)):
        tree.process(pid, namespace)
    found = {group.inode: group.pids for group in group_processes(tree.root)}
    assert found == {
        (first / "number").stat().st_ino: (9, 10),
        (second / "number").stat().st_ino: (8,),
    }


def test_process_without_namespace_is_left_out(tree: ProcTree):
    """A zombie has none, and what is no number is no process."""
    tree.process(7)
    (tree.root / "self").mkdir()
    (tree.root / "²").mkdir()
    assert group_processes(tree.root) == []


def test_kernel_without_ns_net(tree: ProcTree):
    """Before 3.8 the inode of net/dev tells namespaces apart; it is not the namespace's."""
    namespace = tree.namespace("only")
    for pid in (5, 4):
        (tree.process(pid, namespace) / "ns/net").unlink()
    key = (namespace / "dev").stat().st_ino
    assert group_processes(tree.root) == [(key, 0, (4, 5))]


def test_process_that_may_not_be_asked_is_in_the_namespace_of_another(tree: ProcTree):
    """Both have the same net/dev, and one of them tells the namespace's number."""
    namespace = tree.namespace("only")
    tree.process(5, namespace)
    (tree.process(4, namespace) / "ns/net").unlink()
    key = (namespace / "number").stat().st_ino
    assert group_processes(tree.root) == [(key, key, (4, 5))]


def test_proc_that_is_not_there_is_an_error(tmp_path: Path):
    """Nothing to read is not the same as no process."""
    with pytest.raises(FileNotFoundError):
        group_processes(tmp_path / "proc")


def test_files_of_the_first_process_that_is_there(tree: ProcTree):
    """One that has ended meanwhile is passed over."""
    namespace = tree.namespace("only", tcp=net_line())
    tree.process(4, namespace)
    tree.process(5, namespace)
    (group,) = group_processes(tree.root)
    (tree.root / "4/net").unlink()
    texts = read_net_texts(group, tree.root)
    assert texts == (HEADER + net_line(), HEADER, HEADER, HEADER)


def test_process_that_has_moved_is_passed_over(tree: ProcTree):
    """Its files are those of another namespace now."""
    namespace = tree.namespace("only", tcp=net_line())
    for pid in (4, 5):
        tree.process(pid, namespace)
    (group,) = group_processes(tree.root)
    move(tree, tree.namespace("other"))
    texts = read_net_texts(group, tree.root)
    assert texts
    assert texts.tcp == HEADER + net_line()


def test_process_that_was_elsewhere_for_a_moment_is_passed_over(
    tree: ProcTree, monkeypatch: pytest.MonkeyPatch
):
    """It went when its files were opened, and was back before anybody could ask."""
    namespace, other = tree.namespace("only", tcp=net_line()), tree.namespace("other")
    for pid in (4, 5):
        tree.process(pid, namespace)
    (group,) = group_processes(tree.root)
    real_open = os.open

    def open_elsewhere(path: str, *rest: int) -> int:
        if not path.endswith("/4/net/tcp"):
            return real_open(path, *rest)
        move(tree, other)
        file = real_open(path, *rest)
        move(tree, namespace)
        return file

    monkeypatch.setattr(os, "open", open_elsewhere)
    texts = read_net_texts(group, tree.root)
    assert texts
    assert texts.tcp == HEADER + net_line()


def move(tree: ProcTree, namespace: Path) -> None:
    """Puts process 4 into a namespace."""
    for name, target in (("net", namespace), ("ns/net", namespace / "number")):
        link = tree.root / "4" / name
        link.unlink()
        link.symlink_to(target)


def test_nothing_if_all_processes_have_ended(tree: ProcTree):
    """The namespace is gone with the last."""
    tree.process(4, tree.namespace("only"))
    (group,) = group_processes(tree.root)
    (tree.root / "4/net").unlink()
    assert read_net_texts(group, tree.root) is None


def test_no_descriptors_left_is_an_error(tree: ProcTree, monkeypatch: pytest.MonkeyPatch):
    """A file that could not be opened for want of them has not ended with its process."""
    tree.process(4, tree.namespace("only", tcp=net_line()))
    (group,) = group_processes(tree.root)

    def refuse(*_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        read_net_texts(group, tree.root)


def test_machine_without_ipv6(tree: ProcTree):
    """The files that there are count."""
    namespace = tree.namespace("only", tcp=net_line())
    for name in ("tcp6", "udp6"):
        (namespace / name).unlink()
    tree.process(4, namespace)
    (group,) = group_processes(tree.root)
    assert read_net_texts(group, tree.root) == (HEADER + net_line(), b"", HEADER, b"")


@pytest.mark.parametrize(
    ("written", "comm"),
    [
        (b"tmux: server", b"tmux: server"),
        (b"a) S 1 (b", b"a) S 1 (b"),
        (b"))) 7", b"))) 7"),
        (rb"two\nlines", b"two\nlines"),
        (rb"back\\nslash", rb"back\nslash"),
        (b"", b""),
        (b"\xff\xfe", b"\xff\xfe"),
        (b"kworker/u8:2-events_unbound", b"kworker/u8:2-ev"),
    ],
)
def test_names(tree: ProcTree, written: bytes, comm: bytes):
    """Whatever is in a name, the start time behind it is found."""
    tree.process(4, comm=written, ticks=700)
    assert read_process(4, tree.root) == Process(700 * TICK_NS, comm)


@pytest.mark.parametrize("text", [b"", b"4 (worker", b"4 (worker) S 1 2 3", b") " + b"x " * 40])
def test_senseless_stat(tree: ProcTree, text: bytes):
    """No process rather than an error."""
    (tree.process(4) / "stat").write_bytes(text)
    assert read_process(4, tree.root) is None


def test_process_that_has_ended(tree: ProcTree):
    """There is no such folder."""
    assert read_process(4, tree.root) is None
