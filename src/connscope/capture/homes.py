"""The network namespaces that a tier looks into, and the sockets that it has in each."""

from __future__ import annotations

import os
import select
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

from connscope.errors import KernelError, NotPermittedError, NotSupportedError
from connscope.kernel.host.exhaustion import is_exhausted
from connscope.kernel.host.network_namespaces import (
    entered_network_namespace,
    find_network_namespaces,
)
from connscope.kernel.resource import Resource

__all__ = ("NamespaceHome", "NamespaceHomes")

HERE = Path("/proc/thread-self/ns/net")


class NamespaceHome(Resource):
    """One network namespace. It lives at least as long as its sockets here do.

    Args:
        inode: of the namespace, in which this thread is.

    Attributes:
        inode: as given.
    """

    def __init__(self, inode: int) -> None:
        self.inode = inode

    @abstractmethod
    def filenos(self) -> tuple[int, ...]:
        """What can be read when there is news."""

    def lacks_something(self) -> bool:
        """Whether it should be entered again, because what was not there before is there now."""
        return False

    def complete(self) -> None:
        """Opens what was lacking; the thread is in the namespace."""


Home = TypeVar("Home", bound=NamespaceHome)


class NamespaceHomes(Resource, Generic[Home]):
    """All namespaces that may be entered.

    Args:
        make: opens the sockets of one, in which the thread is then, by its inode.
        feature: what they are for, in words.

    Raises:
        KernelError: not one of them can be looked into.

    Attributes:
        refused: how many were found and could not be entered: it was not permitted, or there are no
            descriptors left.
    """

    def __init__(self, make: Callable[[int], Home], feature: str) -> None:
        self._make = make
        self._homes = dict[int, Home]()
        self._wakes = select.epoll()
        try:
            self._closing = os.eventfd(0)
        except BaseException:
            self._wakes.close()
            raise
        self._waits, self._closes = threading.RLock(), threading.RLock()
        self._wakes.register(self._closing, select.EPOLLIN)
        self._watched = dict[int, tuple[int, ...]]()
        self.refused = 0
        self._refusals = list[KernelError]()
        try:
            self.refresh()
        except BaseException:
            self.close()
            raise
        if not self._homes:
            self.close()
            nothing = NotSupportedError(feature, "no network namespace can be looked into")
            raise (*self._refusals, nothing)[0]

    def refresh(self) -> list[Home]:
        """Takes in namespaces that are new; returns those that have ended, still open, ours no
        more: what they have to say should be read before they are closed.

        Raises:
            OSError: there are no descriptors left to find them with; all is as it was.
            FailedError: the thread went into one of them and can not go back.
        """
        found = find_network_namespaces()
        ended = [self._homes.pop(inode) for inode in self._homes.keys() - found.keys()]
        for home in ended:
            for descriptor in self._watched.pop(home.inode):
                self._wakes.unregister(descriptor)
        self.refused, self._refusals = 0, []
        for inode, path in found.items():
            if inode not in self._homes or self._homes[inode].lacks_something():
                self._enter(inode, path)
        return ended

    def _enter(self, inode: int, path: Path) -> None:
        try:
            with entered_network_namespace(path):
                self._furnish(inode)
        except NotPermittedError as error:
            self._refuse(error)
        except OSError as error:
            # Else its last process has ended meanwhile, and with it the namespace.
            self.refused += is_exhausted(error)
        else:
            if inode in self._homes:
                self._watch(self._homes[inode])

    def _furnish(self, inode: int) -> None:
        """Opens what is lacking in the namespace in which the thread is."""
        if HERE.stat().st_ino != inode:
            return  # the process has moved meanwhile; the next look finds another way in
        try:
            if inode in self._homes:
                self._homes[inode].complete()
            else:
                self._homes[inode] = self._make(inode)
        except KernelError as error:
            self._refuse(error)

    def _refuse(self, error: KernelError) -> None:
        self._refusals.append(error)
        self.refused += 1

    def _watch(self, home: Home) -> None:
        before, now = self._watched.get(home.inode, ()), home.filenos()
        for descriptor in now:
            if descriptor not in before:
                self._wakes.register(descriptor, select.EPOLLIN | select.EPOLLERR)
        self._watched[home.inode] = now

    def __iter__(self) -> Iterator[Home]:
        return iter(tuple(self._homes.values()))

    def wait(self, timeout_s: float | None) -> bool:
        """Waits for news of any; False when the time is over, or somebody has closed it."""
        with self._waits:
            if self._wakes.closed:
                return False
            found = self._wakes.poll(timeout_s)
        return bool(found) and all(descriptor != self._closing for descriptor, _ in found)

    def close(self) -> None:
        """Lets go of all; a second call does nothing."""
        with self._closes:
            if self._wakes.closed:
                return
            os.eventfd_write(self._closing, 1)
            with self._waits:  # what is closed wakes nobody any more
                for home in self._homes.values():
                    home.close()
                self._homes = {}
                self._wakes.close()
                os.close(self._closing)
