"""Owners of sockets by the fd tables, in a /proc made for the test and in the real one."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import numpy as np
import pytest

from connscope.kernel.host.clock import boottime_ns
from connscope.kernel.procfs.fd_table import SOCKET_OWNER, find_socket_owners
from connscope.kernel.procfs.processes import TICKS_PER_S


def add_process(proc: Path, pid: int, comm: bytes = b"worker", ticks: int = 700, *links: str):
    """A process with one descriptor for each link."""
    folder = proc / str(pid)
    (folder / "fd").mkdir(parents=True)
    numbers = b" ".join(str(number).encode() for number in range(4, 22))
    (folder / "stat").write_bytes(b"%d (%s) S %s %d 0 0\n" % (pid, comm, numbers, ticks))
    (folder / "comm").write_bytes(comm + b"\n")
    for number, link in enumerate(links):
        (folder / "fd" / str(number)).symlink_to(link)


def find(proc: Path, *inodes: int):
    """The owners as plain tuples: inode, pid."""
    owners = find_socket_owners(np.array(inodes, np.uint32), proc)
    assert owners.dtype == SOCKET_OWNER
    return list(zip(owners["inode"].tolist(), owners["pid"].tolist(), strict=True))


def test_lowest_pid_wins(tmp_path: Path):
    """A socket in two fd tables; 9 is below 10, as numbers."""
    for pid in (10, 9, 200):
        add_process(tmp_path, pid, b"worker", 700, "socket:[77]")
    assert find(tmp_path, 77) == [(77, 9)]


def test_only_what_was_asked_for_ascending(tmp_path: Path):
    """Other sockets, pipes and files are left out; who has no holder is left out too."""
    add_process(tmp_path, 5, b"a", 1, "socket:[30]", "pipe:[20]", "socket:[10]", "/dev/null")
    add_process(tmp_path, 6, b"b", 1, "socket:[20]")
    assert find(tmp_path, 30, 20, 99, 0) == [(20, 6), (30, 5)]


def test_nothing_asked_for(tmp_path: Path):
    """Then nothing is read."""
    assert find(tmp_path) == []


@pytest.mark.parametrize(
    "comm", [b"two words", b"(x) S 1 2", b"a)", b"\xff\xfe", b"line\nline", b"", b"exactly15chars."]
)
def test_any_name(tmp_path: Path, comm: bytes):
    """Spaces, brackets and bytes that are no text: the start time is still field 22."""
    add_process(tmp_path, 5, comm, 12345, "socket:[30]")
    (owner,) = find_socket_owners(np.array([30], np.uint32), tmp_path)
    assert owner["comm"].tobytes() == comm.ljust(16, b"\0")
    assert owner["process_start_ns"] == 12345 * 10**9 // TICKS_PER_S


def test_process_that_has_ended_is_passed_over(tmp_path: Path):
    """Its folder is there, its files are not; the next holder is taken."""
    add_process(tmp_path, 5, b"a", 1, "socket:[30]")
    (tmp_path / "5" / "stat").unlink()
    add_process(tmp_path, 6, b"b", 1, "socket:[30]")
    (tmp_path / "7").mkdir()
    (tmp_path / "self").mkdir()
    assert find(tmp_path, 30) == [(30, 6)]


def test_search_ends_when_all_are_found(tmp_path: Path):
    """What comes after the last holder is not read: here it could not be."""
    add_process(tmp_path, 5, b"a", 1, "socket:[30]")
    add_process(tmp_path, 6, b"b", 1, "socket:[abc]")
    assert find(tmp_path, 30) == [(30, 5)]


def test_own_socket():
    """A real one, with our own name and start."""
    with socket.socket() as own:
        inode = os.fstat(own.fileno()).st_ino
        (owner,) = find_socket_owners(np.array([inode], np.uint32))
    assert (owner["inode"], owner["pid"]) == (inode, os.getpid())
    assert owner["comm"].tobytes().rstrip(b"\0") == Path("/proc/self/comm").read_bytes().rstrip()
    assert 0 < owner["process_start_ns"] < boottime_ns()
