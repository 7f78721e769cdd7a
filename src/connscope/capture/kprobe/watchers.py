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

WAITING = ("inet_csk_accept", "inet_csk_wait_for_connect")
ACCEPT_CALLS = {"x86_64": ("43", "288"), "aarch64": ("202", "242")}
THREAD = np.dtype(np.uint32)


class AcceptWatchers(Resource):
    """Watches all threads that are in accept() now.

    Each is watched until its call returns, or it ends. When there are none any more the probes are
    taken away, for every open() passes them.

    Args:
        core: loaded, its probe of accept's return is attached.
        kprobes: the probes of this process.

    Raises:
        KernelError: not supported, not permitted or failed.
    """

    def __init__(self, core: BpfObject, kprobes: Kprobes) -> None:
        self._map = core.maps["watched_threads"]
        self._probes: list[Kprobe] = []
        threads = list(threads_in_accept())[: self._map.max_entries]
        if not threads:
            return
        try:
            for name, function in (("thread_exits", "do_exit"), ("fd_install", "fd_install")):
                self._probes.append(kprobes.attach(core.programs[name], function))
            found = np.array(threads, THREAD)
            self._map.write(found, np.ones(len(found), THREAD))
        except BaseException:
            self.close()
            raise
        # Who has left meanwhile was not seen leaving.
        self._forget(set(threads) - set(threads_in_accept()))

    def __len__(self) -> int:
        return len(self._map.read(THREAD, THREAD)[0]) if self._probes else 0

    def sweep(self) -> None:
        """Takes the probes away if nobody is watched any more."""
        if self._probes and not len(self):
            self.close()

    def _forget(self, threads: set[int]) -> None:
        for thread in threads:
            self._map.delete(np.uint32(thread))

    def close(self) -> None:
        """Watches nobody any more; a second call does nothing."""
        for probe in self._probes:
            probe.close()
        self._probes = []


def threads_in_accept(proc: Path = Path("/proc")) -> Iterator[int]:
    """The numbers of all threads that wait for a connection, ascending by process."""
    names = (entry.name for entry in proc.iterdir())
    for pid in sorted(int(name) for name in names if is_pid(name)):
        try:
            threads = [int(entry.name) for entry in (proc / f"{pid}/task").iterdir()]
        except OSError:
            continue  # it has ended
        yield from (tid for tid in threads if _waits(proc / f"{pid}/task/{tid}"))


def _waits(thread: Path) -> bool:
    """By the function that it sleeps in, or where the kernel does not find that out (before 5.16 on
    x86-64), by its system call: then also in accept() of a socket of another kind."""
    try:
        function = (thread / "wchan").read_text(encoding="utf-8", errors="replace")
        if function != "0":
            return function in WAITING
        call = (thread / "syscall").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return call.partition(" ")[0] in ACCEPT_CALLS.get(os.uname().machine, ())
