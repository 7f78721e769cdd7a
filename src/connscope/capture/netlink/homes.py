"""The network namespaces that the netlink tier looks into, each with its own sockets."""

from __future__ import annotations

from contextlib import suppress

from connscope.capture.conntrack.home import ConntrackHome
from connscope.capture.homes import NamespaceHome, NamespaceHomes
from connscope.errors import NotPermittedError
from connscope.kernel.netlink.diag_socket import DestroyNews, SocketDump

__all__ = ("Home", "Homes")


class Home(NamespaceHome):
    """One network namespace. It lives at least as long as its sockets here do.

    Args:
        inode: of the namespace, in which this thread is.
        receive_bytes: of the news; 0: nobody wants any.
        follows_udp: UDP flows are wanted too.

    Attributes:
        dump: lists sockets.
        news: of sockets that go away; None if we may not hear them.
        udp: flows, if they are wanted and can be had.
    """

    def __init__(self, inode: int, receive_bytes: int, *, follows_udp: bool = False) -> None:
        super().__init__(inode)
        self.news: DestroyNews | None = None
        self.dump = SocketDump()
        self.udp = ConntrackHome(inode, receive_bytes if follows_udp else 0)
        try:
            if receive_bytes:
                with suppress(NotPermittedError):
                    self.news = DestroyNews(receive_bytes)
            self.udp.complete()
        except BaseException:
            self.close()
            raise

    def filenos(self) -> tuple[int, ...]:
        """What can be read when there is news."""
        return (*((self.news.fileno(),) if self.news else ()), *self.udp.filenos())

    def lacks_something(self) -> bool:
        """Whether flows are wanted that can be had only now."""
        return self.udp.lacks_something()

    def complete(self) -> None:
        """Hears of flows from now on."""
        self.udp.complete()

    def close(self) -> None:
        """Lets go of the namespace; a second call does nothing."""
        self.dump.close()
        self.udp.close()
        if self.news:
            self.news.close()


class Homes(NamespaceHomes[Home]):
    """All namespaces that may be entered.

    Args:
        receive_bytes: of the news of each; 0: nobody wants any.
        follows_udp: as of `Home`.

    Raises:
        KernelError: not one of them can be looked into.
    """

    def __init__(self, receive_bytes: int, *, follows_udp: bool = False) -> None:
        def make(inode: int) -> Home:
            return Home(inode, receive_bytes, follows_udp=follows_udp)

        super().__init__(make, "sock_diag")

    @property
    def hear_news(self) -> bool:
        """Whether each of them tells of sockets that go away."""
        return all(home.news for home in self)
