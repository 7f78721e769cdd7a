"""The network namespaces that the netlink tier looks into, each with its own two sockets."""

from __future__ import annotations

import errno
import select
from collections.abc import Iterator
from pathlib import Path

from connscope.errors import KernelError, NotPermittedError, NotSupportedError
from connscope.kernel.host.network_namespaces import (
    entered_network_namespace,
    find_network_namespaces,
)
from connscope.kernel.netlink.diag_socket import DestroyNews, SocketDump
from connscope.kernel.resource import Resource

__all__ = ("Home", "Homes")

HERE = Path("/proc/thread-self/ns/net")


class Home(Resource):
    """One network namespace. It lives at least as long as its sockets here do.

    Args:
        inode: of the namespace, in which this thread is.
        receive_bytes: of the news; 0: nobody wants any.

    Attributes:
        inode: as given.
        dump: lists sockets.
        news: of sockets that go away; None if we may not hear them.
    """

    def __init__(self, inode: int, receive_bytes: int) -> None:
        self.inode = inode
        self.news: DestroyNews | None = None
        self.dump = SocketDump()
        if not receive_bytes:
            return
        try:
            self.news = DestroyNews(receive_bytes)
        except NotPermittedError:
            pass
        except BaseException:
            self.dump.close()
            raise

    def close(self) -> None:
        """Lets go of the namespace; a second call does nothing."""
        self.dump.close()
        if self.news:
            self.news.close()


class Homes(Resource):
    """All namespaces that may be entered.

    Args:
        receive_bytes: of the news of each; 0: nobody wants any.

    Raises:
        KernelError: not one of them can be looked into.

    Attributes:
        refused: how many were found and could not be entered: it was not permitted, or there are no
            descriptors left.
    """

    def __init__(self, receive_bytes: int) -> None:
        self._receive_bytes = receive_bytes
        self._homes = dict[int, Home]()
        self._wakes = select.epoll()
        self.refused = 0
        self._refusals = list[KernelError]()
        try:
            self.refresh()
        except BaseException:
            self.close()
            raise
        if not self._homes:
            self.close()
            nothing = NotSupportedError("sock_diag", "no network namespace can be looked into")
            raise (*self._refusals, nothing)[0]

    def refresh(self) -> list[Home]:
        """Takes in namespaces that are new; returns those that have ended, still open, ours no
        more: what they have to say should be read before they are closed."""
        found = find_network_namespaces()
        ended = [self._homes.pop(inode) for inode in self._homes.keys() - found.keys()]
        for home in ended:
            if home.news:
                self._wakes.unregister(home.news.fileno())
        self.refused, self._refusals = 0, []
        for inode, path in found.items():
            if inode not in self._homes:
                self._enter(inode, path)
        return ended

    def _enter(self, inode: int, path: Path) -> None:
        try:
            with entered_network_namespace(path):
                if HERE.stat().st_ino != inode:
                    return  # the process has moved meanwhile; the next look finds another way in
                home = Home(inode, self._receive_bytes)
        except KernelError as error:
            self._refusals.append(error)
            self.refused += 1
            return
        except OSError as error:
            # Else its last process has ended meanwhile, and with it the namespace.
            self.refused += error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
            return
        self._homes[inode] = home
        if home.news:
            self._wakes.register(home.news.fileno(), select.EPOLLIN | select.EPOLLERR)

    def __iter__(self) -> Iterator[Home]:
        return iter(tuple(self._homes.values()))

    @property
    def hear_news(self) -> bool:
        """Whether each of them tells of sockets that go away."""
        return all(home.news for home in self._homes.values())

    def wait(self, timeout_s: float | None) -> bool:
        """Waits for news of any; False when the time is over."""
        return bool(self._wakes.poll(timeout_s))

    def close(self) -> None:
        """Lets go of all; a second call does nothing."""
        for home in self._homes.values():
            home.close()
        self._homes = {}
        self._wakes.close()
