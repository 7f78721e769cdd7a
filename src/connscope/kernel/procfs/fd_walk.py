"""Reads fd tables at a limited rate, to find which process holds which socket."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from connscope.kernel.procfs.pace import Pace

__all__ = ("Held", "confirm_held", "walk_fds")

SOCKET_LINK = "socket:["


class Held(NamedTuple):
    """The sockets that a process holds.

    Attributes:
        pid: the process.
        fds: the inode of each socket, and a descriptor that leads to it.
        refused: whether its fd table may not be read; then there are none.
    """

    pid: int
    fds: dict[int, str]
    refused: bool = False


def walk_fds(pids: Iterable[int], pace: Pace, proc: Path = Path("/proc")) -> Iterator[Held]:
    """The sockets of each process in turn, until the pace is stopped.

    A process that has ended, or ends meanwhile, holds what was seen until then.
    """
    for pid in pids:
        if pace.stopped:
            return
        try:
            yield Held(pid, _read_table(pid, pace, proc))
        except PermissionError:
            yield Held(pid, {}, refused=True)
        except OSError:
            continue  # it has ended


def confirm_held(held: Held, pace: Pace, proc: Path = Path("/proc")) -> Held:
    """Those of the sockets that the same descriptors still lead to: far fewer to read than all."""
    try:
        found = _read_table(held.pid, pace, proc, list(held.fds.values()))
    except OSError:
        return Held(held.pid, {})  # it has ended
    if found == held.fds:
        return held
    return Held(held.pid, dict(found.items() & held.fds.items()))


def _read_table(pid: int, pace: Pace, proc: Path, names: list[str] | None = None) -> dict[int, str]:
    """The sockets among those descriptors of the process, or among all that it has.

    Raises:
        PermissionError: the table may not be listed, or only be listed: a process of the same user
            with more capabilities shows its descriptors, and not where they lead.
        OSError: there is no such process.
    """
    table = os.open(f"{proc}/{pid}/fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if names is None:
            names = os.listdir(table)  # noqa: PTH208  a descriptor is no Path
        return _read_links(table, names, pace)
    finally:
        os.close(table)


def _read_links(table: int, names: list[str], pace: Pace) -> dict[int, str]:
    """Those of the descriptors that are sockets, by the inode of each."""
    found = dict[int, str]()
    read, at = os.readlink, 0
    while at < len(names) and (count := pace.take(len(names) - at)):
        for name in names[at : at + count]:
            try:
                link = read(name, dir_fd=table)
            except PermissionError:
                raise
            except OSError:
                continue  # closed meanwhile
            if link[:8] == SOCKET_LINK and link[8:-1].isdecimal():
                found[int(link[8:-1])] = name
        at += count
    return found
