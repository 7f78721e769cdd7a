"""Namespaces, from the links in /proc."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from connscope.kernel.host.namespaces import (
    in_initial_pid_namespace,
    in_initial_user_namespace,
    list_network_namespaces,
    network_namespace,
)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A /proc with pids 9 and 10 in one network namespace, 11 in another, and 12 that is ending."""
    for name in ("one", "two"):
        (tmp_path / name).touch()
    for pid, name in ((9, "one"), (10, "one"), (11, "two")):
        (tmp_path / f"{pid}/ns").mkdir(parents=True)
        (tmp_path / f"{pid}/ns/net").symlink_to(tmp_path / name)
    (tmp_path / "12").mkdir()
    (tmp_path / "cpuinfo").touch()
    return tmp_path


def test_each_namespace_has_its_lowest_pid(proc: Path) -> None:
    """Lowest as a number; what is no process, or is gone, is left out."""
    one, two = ((proc / name).stat().st_ino for name in ("one", "two"))
    assert list_network_namespaces(proc) == {one: 9, two: 11}


def test_own_namespace_has_the_inode_that_its_link_shows() -> None:
    """``net:[4026531840]``."""
    link = Path("/proc/self/ns/net").readlink().name
    assert link == f"net:[{network_namespace(os.getpid())}]"
    assert network_namespace(os.getpid()) in list_network_namespaces()


def test_process_that_is_gone_is_an_os_error() -> None:
    """The caller asked for one process, so it is told."""
    with pytest.raises(FileNotFoundError):
        network_namespace(2**30)


def test_other_inode_is_not_the_initial_namespace(tmp_path: Path) -> None:
    """The machine's own namespaces have fixed numbers."""
    (tmp_path / "self/ns").mkdir(parents=True)
    (tmp_path / "self/ns/pid").touch()
    (tmp_path / "self/ns/user").touch()
    assert not in_initial_pid_namespace(tmp_path)
    assert not in_initial_user_namespace(tmp_path)


def test_kernel_without_such_namespaces_has_only_the_initial_one(tmp_path: Path) -> None:
    """No link, no other namespace."""
    assert in_initial_pid_namespace(tmp_path)
    assert in_initial_user_namespace(tmp_path)
