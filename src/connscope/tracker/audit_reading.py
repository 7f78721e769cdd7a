"""The kernel's own counters of every network namespace that can be entered."""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from connscope.errors import NotPermittedError
from connscope.kernel.host.mib import read_mib
from connscope.kernel.host.network_namespaces import (
    entered_network_namespace,
    find_network_namespaces,
)
from connscope.tracker.audit_verdict import MIB_NAMES

__all__ = ("Reading", "Readings", "read_counters", "read_established")

SO_NETNS_COOKIE = 71
COOKIE_BYTES = 8
ROUNDS = 4
OWN_NAMESPACE = Path("/proc/thread-self/ns/net")


class Reading(NamedTuple):
    """The counters of a namespace at one moment.

    Attributes:
        cookie: tells it from a later one with the same inode; 0 if the kernel does not say.
        counters: of `MIB_NAMES`, shape (n,).
    """

    cookie: int
    counters: npt.NDArray[np.int64]


class Readings(NamedTuple):
    """Of all namespaces that were found.

    Attributes:
        found: by inode.
        refused: inodes of those that may not be read.
        paths: how those that were found were entered, by inode.
    """

    found: Mapping[int, Reading]
    refused: frozenset[int]
    paths: Mapping[int, Path]


class Mib(NamedTuple):
    """Everything that a namespace counts, its cookie, and the way there."""

    cookie: int
    counters: Mapping[str, int]
    path: Path


def read_counters(
    within: Collection[int] | None = None, paths: Mapping[int, Path] | None = None
) -> Readings:
    """Reads the namespaces, one after the other; about 0.3 ms each, and 2 ms to find them.

    Args:
        within: inodes of those that matter; None: all that a process or mount leads to.
        paths: ways that led there a moment ago are tried before others are looked for.
    """
    found, refused = _read_all(within, paths)
    readings = {inode: Reading(mib.cookie, _counters(mib)) for inode, mib in found.items()}
    ways = {inode: mib.path for inode, mib in found.items()}
    return Readings(readings, frozenset(refused), ways)


def _counters(mib: Mib) -> npt.NDArray[np.int64]:
    return np.array([mib.counters.get(name, 0) for name in MIB_NAMES], np.int64)


def read_established() -> dict[int, int]:
    """How many connections the kernel counts in ESTABLISHED and CLOSE_WAIT: inode → CurrEstab."""
    return {inode: mib.counters["TcpCurrEstab"] for inode, mib in _read_all()[0].items()}


def _read_all(
    within: Collection[int] | None = None, paths: Mapping[int, Path] | None = None
) -> tuple[dict[int, Mib], set[int]]:
    """The namespaces by inode, and those that may not be read.

    The process that leads to one may end or go elsewhere before it is read, and then another one
    may lead there: whoever else looks into namespaces wanders through them.
    """
    found, refused = dict[int, Mib](), set[int]()
    for _ in range(ROUNDS):
        if paths is None:
            paths = find_network_namespaces()
        left = {
            inode: path
            for inode, path in paths.items()
            if inode not in found and inode not in refused and (within is None or inode in within)
        }
        for inode, path in left.items():
            try:
                found[inode] = _read(inode, path)
            except FileNotFoundError:
                continue
            except (NotPermittedError, PermissionError):
                refused.add(inode)
        if left.keys() <= found.keys() | refused:
            break
        paths = None
    return found, refused


def _read(inode: int, path: Path) -> Mib:
    """Reads a namespace from inside; who may not enter may still read what a process there shows.

    Raises:
        FileNotFoundError: the path does not lead there any more.
        NotPermittedError: it may not be entered.
    """
    try:
        with entered_network_namespace(path):
            _check(inode, OWN_NAMESPACE)
            return Mib(_cookie(), read_mib("thread-self"), path)
    except ProcessLookupError as error:
        raise FileNotFoundError(path) from error
    except NotPermittedError:
        process = path.parents[1]
        if not process.name.isdecimal():
            raise
        mib = read_mib(process.name, process.parent)
        _check(inode, path)
        return Mib(0, mib, path)


def _check(inode: int, path: Path) -> None:
    if path.stat().st_ino != inode:
        raise FileNotFoundError(path)


def _cookie() -> int:
    """Of this thread's namespace; unique until the next boot, since 5.14."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            value = probe.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, COOKIE_BYTES)
        except OSError:
            return 0
    return int.from_bytes(value, "little")
