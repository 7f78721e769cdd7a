"""Network namespaces, from the links and mounts in /proc."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from connscope.kernel.host.network_namespaces import (
    entered_network_namespace,
    find_network_namespaces,
    network_namespace,
)

MOUNTED = "36 35 0:4 net:[4711] /run/netns/blue\\040sky rw - nsfs nsfs rw\n"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A /proc with pids 9 and 10 in one network namespace, 11 in another, and 12 that is ending."""
    for name in ("one", "two", "mounts"):
        (tmp_path / name).touch()
    for pid, name in ((9, "one"), (10, "one"), (11, "two")):
        (tmp_path / f"{pid}/ns").mkdir(parents=True)
        (tmp_path / f"{pid}/ns/net").symlink_to(tmp_path / name)
        (tmp_path / f"{pid}/ns/mnt").symlink_to(tmp_path / "mounts")
        (tmp_path / f"{pid}/mountinfo").write_text(MOUNTED)
    (tmp_path / "12").mkdir()
    (tmp_path / "cpuinfo").touch()
    return tmp_path


def test_each_namespace_is_found_once(proc: Path) -> None:
    """Those of processes, and the one that is only mounted; what is no process is left out."""
    found = find_network_namespaces(proc)
    one, two = ((proc / name).stat().st_ino for name in ("one", "two"))
    assert set(found) == {one, two, 4711}
    assert found[two] == proc / "11/ns/net"
    assert found[4711].parts[-4:] == ("root", "run", "netns", "blue sky")


def test_no_descriptor_to_see_what_is_mounted(proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A namespace that is only mounted is not taken for one that is gone."""

    def refuse(*_: object, **__: object) -> str:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        find_network_namespaces(proc)


def test_own_namespace_has_the_inode_that_its_link_shows() -> None:
    """``net:[4026531840]``."""
    link = Path("/proc/self/ns/net").readlink().name
    assert link == f"net:[{network_namespace(os.getpid())}]"
    assert network_namespace(os.getpid()) in find_network_namespaces()


def test_own_namespace_is_entered_without_asking_the_kernel() -> None:
    """Nobody needs a capability to be where he is."""
    with entered_network_namespace(Path("/proc/self/ns/net")):
        assert Path("/proc/thread-self/ns/net").samefile("/proc/self/ns/net")


def test_namespace_that_is_gone_is_an_os_error(tmp_path: Path) -> None:
    """The caller goes on with the next one."""
    with pytest.raises(FileNotFoundError), entered_network_namespace(tmp_path / "gone"):
        pass


def test_process_that_is_gone_is_an_os_error() -> None:
    """The caller asked for one process, so it is told."""
    with pytest.raises(FileNotFoundError):
        network_namespace(2**30)
