"""Sockets that ask the kernel about sockets: dumps, and news of those that go away."""

from __future__ import annotations

import errno
import struct

import numpy as np

from connscope.errors import FailedError, NotSupportedError
from connscope.kernel.netlink.diag_messages import (
    INET_DIAG_INFO,
    SOCK_DIAG_BY_FAMILY,
    parse_sockets,
)
from connscope.kernel.netlink.layout import DIAG, SOCKET, Sockets
from connscope.kernel.netlink.messages import Words, find_messages
from connscope.kernel.netlink.netlink_socket import DumpSocket, NewsSocket

__all__ = ("DestroyNews", "SocketDump")

NETLINK_SOCK_DIAG = 4
# Multicast groups as bits: SKNLGRP_INET_TCP_DESTROY is 1, SKNLGRP_INET6_TCP_DESTROY 3.
DESTROY_GROUPS = 1 << 0 | 1 << 2

FEATURE, NEWS = "sock_diag", "news of closed sockets"
TRIES = 4  # of a dump that the kernel calls inconsistent


class SocketDump(DumpSocket):
    """Asks for all sockets of the network namespace that it was made in.

    Raises:
        NotSupportedError: this kernel has no netlink.
    """

    def __init__(self) -> None:
        super().__init__(NETLINK_SOCK_DIAG, FEATURE, SOCK_DIAG_BY_FAMILY)

    def read(self, family: int, protocol: int, states: int) -> Sockets:
        """All sockets of a family and protocol; each is as it was when the kernel came by.

        Args:
            family: ``socket.AF_INET`` or ``AF_INET6``.
            protocol: 6 or 17.
            states: a bit for each TCP state that is wanted.

        Raises:
            NotSupportedError: the kernel can not list such sockets.
            FailedError: it tried and failed.
        """
        for _ in range(TRIES):
            words = self.read_raw(family, protocol, states)
            messages = find_messages(words, self._sequence, SOCK_DIAG_BY_FAMILY)
            if not messages.is_interrupted:
                break
        return parse_sockets(messages)

    def read_raw(self, family: int, protocol: int, states: int) -> Words:
        """The messages as they came, valid until the next call; see `read`."""
        try:
            return self._ask(SOCK_DIAG_BY_FAMILY, _request(family, protocol, states))
        except FailedError as error:
            # No module for this family or protocol: the kernel has not heard of it.
            if error.errno in (errno.ENOENT, errno.EOPNOTSUPP):
                raise NotSupportedError(FEATURE, error.reason) from error
            raise


class DestroyNews(NewsSocket):
    """Hears of each TCP socket of a network namespace that goes away.

    Args:
        receive_bytes: how much may wait for us; more than net.core.rmem_max with CAP_NET_ADMIN.

    Raises:
        NotPermittedError: CAP_NET_ADMIN is missing. The kernel lets everybody hear these groups
            (NL_CFG_F_NONROOT_RECV, seen on 6.18); a security module need not.
        NotSupportedError: this kernel has no netlink.
    """

    def __init__(self, receive_bytes: int) -> None:
        super().__init__(NETLINK_SOCK_DIAG, NEWS, receive_bytes)
        self._join(DESTROY_GROUPS)

    def read(self, most: int) -> Sockets:
        """What has come in, at most so many sockets; `dropped` says what has not.

        Raises:
            FailedError: what came can not be read.
        """
        words = self._hear(most)
        if not len(words):
            return np.empty(0, SOCKET)
        return parse_sockets(find_messages(words, kind=SOCK_DIAG_BY_FAMILY))


def _request(family: int, protocol: int, states: int) -> bytes:
    """``struct inet_diag_req_v2`` for all sockets: no address, no port, no cookie."""
    extensions = 1 << (INET_DIAG_INFO - 1)
    body = struct.pack("=BBBxI", family, protocol, extensions, states)
    identity = bytes(DIAG.fields["cookie"][1] - 4 if DIAG.fields else 0) + b"\xff" * 8
    return body + identity
