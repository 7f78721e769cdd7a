"""Threads that sat in accept() before there was a probe: watched until they get their descriptor.

A probe of returns sees only calls that began after it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from connscope.kernel import BpfObject
from connscope.kernel.kprobes import Kprobe, Kprobes
from connscope.kernel.procfs.processes import is_pid
from connscope.kernel.resource import Resource

__all__ = ("ACCEPT_CALLS", "AcceptWatchers", "threads_in_accept")

WAITING = (b"inet_csk_accept", b"inet_csk_wait_for_connect")
ACCEPT_CALLS = {"x86_64": (b"43", b"288"), "aarch64": (b"202", b"242")}
ALONE = 2 + 1
"""Links of the task directory of a process with one thread: ``.``, its parent's, the thread's."""

THREAD = np.dtype(np.uint32)
LINE_BYTES = 256
"""Of either file there is one line, and what we look for stands first in it."""


class AcceptWatchers(Resource):
    """Watches all threads that are in accept() now.

    Each is watched until its call returns, or it ends. When there are none any more the probes are
    taken away, for every open() passes them.

    Args:
        core: loaded, its probe of accept's return is attached.
        kprobes: the probes of this process.

    Attributes:
        unwatched: how many there were no room for.

    Raises:
        KernelError: not supported, not permitted or failed.
    """

    def __init__(self, core: BpfObject, kprobes: Kprobes) -> None:
        self._map = core.maps["watched_threads"]
        self._probes: list[Kprobe] = []
        waiting, room = threads_in_accept(), self._map.max_entries
        self.unwatched = len(waiting[room:])
        if not waiting:
            return
        try:
            for name, function in (("thread_exits", "do_exit"), ("fd_install", "fd_install")):
                self._probes.append(kprobes.attach(core.programs[name], function))
            found = np.array(waiting[:room], THREAD)
            self._map.write(found, np.ones(len(found), THREAD))
        except BaseException:
            self.close()
            raise
        # Who has left meanwhile was not seen leaving.
        for thread in waiting[:room]:
            if not _waits(f"/proc/{thread}"):
                self._map.delete(np.uint32(thread))

    def sweep(self) -> None:
        """Takes the probes away if nobody is watched any more."""
        if self._probes and next(iter(self._map), None) is None:
            self.close()

    def close(self) -> None:
        """Watches nobody any more; a second call does nothing."""
        for probe in self._probes:
            probe.close()
        self._probes = []


def threads_in_accept(proc: Path = Path("/proc")) -> list[int]:
    """The numbers of all threads that wait for a connection, ascending by process."""
    # No Path below here: with 10,000 processes making those took longer than reading the files.
    pids = sorted(int(name) for name in os.listdir(proc) if is_pid(name))  # noqa: PTH208
    return [tid for pid in pids for tid in _waiting_threads(f"{proc}/{pid}", pid)]


def _waiting_threads(process: str, pid: int) -> Iterator[int]:
    """A process with one thread has that thread's files too."""
    try:
        if os.stat(f"{process}/task").st_nlink == ALONE:  # noqa: PTH116
            threads = [(pid, process)]
        else:
            names = os.listdir(f"{process}/task")  # noqa: PTH208
            threads = [(int(name), f"{process}/task/{name}") for name in names]
    except OSError:
        return  # it has ended
    yield from (tid for tid, folder in threads if _waits(folder))


def _waits(thread: str) -> bool:
    """By the function that it sleeps in, or where the kernel does not find that out (before 5.16 on
    x86-64), by its system call: then also in accept() of a socket of another kind."""
    try:
        function = _line(f"{thread}/wchan")
        if function != b"0":
            return function in WAITING
        call = _line(f"{thread}/syscall")
    except OSError:
        return False  # it has ended
    return call.partition(b" ")[0] in ACCEPT_CALLS.get(os.uname().machine, ())


def _line(path: str) -> bytes:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, LINE_BYTES)
    finally:
        os.close(file)
