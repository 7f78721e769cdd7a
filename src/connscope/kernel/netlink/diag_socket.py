"""Sockets that ask the kernel about sockets: dumps, and news of those that go away."""

from __future__ import annotations

import errno
import os
import socket
import struct
from contextlib import suppress

import numpy as np
import numpy.typing as npt

from connscope.errors import FailedError, NotPermittedError, NotSupportedError
from connscope.kernel.netlink.layout import DIAG, HEADER_BYTES, SOCKET, Sockets
from connscope.kernel.netlink.messages import SOCK_DIAG_BY_FAMILY, find_messages, parse_sockets
from connscope.kernel.resource import Resource

__all__ = ("DestroyNews", "SocketDump")

NETLINK_SOCK_DIAG = 4
NLM_F_REQUEST, NLM_F_DUMP = 1, 0x300
INET_DIAG_INFO = 2
# Multicast groups as bits: SKNLGRP_INET_TCP_DESTROY is 1, SKNLGRP_INET6_TCP_DESTROY 3.
DESTROY_GROUPS = 1 << 0 | 1 << 2
# As plain numbers: those of the socket module take a microsecond to combine.
MSG_TRUNC = int(socket.MSG_TRUNC)
WITHOUT_WAITING = MSG_TRUNC | int(socket.MSG_DONTWAIT)
SO_RCVBUFFORCE, SO_MEMINFO = 33, 55
MEMINFO_DROPS = 8
MEMINFO_BYTES = 9 * 4
DONE_WORDS = HEADER_BYTES // 4 + 1  # NLMSG_DONE: a header, an errno

FEATURE, NEWS = "sock_diag", "news of closed sockets"
ROOM_BYTES = 1 << 16  # the kernel never makes a datagram of more than 32 KiB for a dump
FIRST_BYTES = 1 << 20
TRIES = 4  # of a dump that the kernel calls inconsistent
ANSWER_S = 10.0  # far beyond what a dump of any size needs between two datagrams


class _DiagSocket(Resource):
    """A netlink socket and a buffer that grows with what comes in at once."""

    def __init__(self, groups: int) -> None:
        self._buffer = np.empty(FIRST_BYTES // 4, np.uint32)
        self._bytes = self._buffer.view(np.uint8).data
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
        except OSError as error:
            reason = f"no netlink socket: {error.strerror}"
            if error.errno in (errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT):
                raise NotSupportedError(FEATURE, reason) from error
            raise FailedError(FEATURE, reason, error.errno or 0) from error
        try:
            self._socket.bind((0, groups))
            # From now on nobody but the kernel can send to this socket.
            self._socket.connect((0, 0))
        except OSError as error:
            self._socket.close()
            if error.errno in (errno.EPERM, errno.EACCES):
                missing = ("CAP_NET_ADMIN",)
                raise NotPermittedError(NEWS, "CAP_NET_ADMIN is missing", missing) from error
            raise FailedError(FEATURE, error.strerror or str(error), error.errno or 0) from error

    def _receive(self, filled: int, flags: int = MSG_TRUNC) -> int:
        """Takes one datagram behind what is there, in bytes; where it ends, on a whole word.

        Raises:
            OSError: as recv(2) does.
        """
        if len(self._bytes) - filled < ROOM_BYTES:
            self._grow(filled)
        end = filled + self._socket.recv_into(self._bytes[filled:], 0, flags)
        if end > len(self._bytes):
            raise FailedError(FEATURE, f"a datagram of {end - filled} bytes was cut off")
        if end & 3:
            whole = (end + 3) & ~3
            self._bytes[end:whole] = bytes(whole - end)
            return whole
        return end

    def _grow(self, filled: int) -> None:
        larger = np.empty(len(self._buffer) * 2, np.uint32)
        larger[: filled // 4] = self._buffer[: filled // 4]
        self._buffer, self._bytes = larger, larger.view(np.uint8).data

    def fileno(self) -> int:
        """Its descriptor, -1 once closed."""
        return self._socket.fileno()

    def close(self) -> None:
        """Lets it go; a second call does nothing."""
        self._socket.close()


class SocketDump(_DiagSocket):
    """Asks for all sockets of the network namespace that it was made in.

    Raises:
        NotSupportedError: this kernel has no netlink.
    """

    def __init__(self) -> None:
        super().__init__(0)
        self._socket.settimeout(ANSWER_S)
        self._sequence = 0

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
            messages = find_messages(words, self._sequence)
            if not messages.is_interrupted:
                break
        return parse_sockets(messages)

    def read_raw(self, family: int, protocol: int, states: int) -> npt.NDArray[np.uint32]:
        """The messages as they came, valid until the next call; see `read`."""
        self._sequence += 1
        try:
            self._socket.send(_request(self._sequence, family, protocol, states))
            return self._receive_answer()
        except TimeoutError as error:
            raise FailedError(FEATURE, f"no answer within {ANSWER_S:g} s") from error
        except OSError as error:
            raise FailedError(FEATURE, error.strerror or str(error), error.errno or 0) from error
        except FailedError as error:
            # No module for this family or protocol: the kernel has not heard of it.
            if error.errno in (errno.ENOENT, errno.EOPNOTSUPP):
                raise NotSupportedError(FEATURE, error.reason) from error
            raise

    def _receive_answer(self) -> npt.NDArray[np.uint32]:
        filled = 0
        while True:
            end = self._receive(filled)
            if self._ends(filled, end):
                return self._buffer[: end // 4]
            filled = end

    def _ends(self, begin: int, end: int) -> bool:
        """Whether a dump ends with this datagram. Only those that may have an end are parsed.

        The end comes alone, or behind the last sockets if a kernel finds room for it there.
        """
        words = self._buffer[begin // 4 : end // 4]
        if len(words) < HEADER_BYTES // 4:
            raise FailedError(FEATURE, f"an answer of {end - begin} bytes")
        is_socket = int(words[1]) & 0xFFFF == SOCK_DIAG_BY_FAMILY
        may_end = len(words) >= DONE_WORDS and int(words[-DONE_WORDS]) == DONE_WORDS * 4
        if is_socket and not may_end:
            return False
        return find_messages(words, self._sequence).is_done


class DestroyNews(_DiagSocket):
    """Hears of each TCP socket of a network namespace that goes away.

    Args:
        receive_bytes: how much may wait for us; more than net.core.rmem_max with CAP_NET_ADMIN.

    Raises:
        NotPermittedError: CAP_NET_ADMIN is missing. The kernel lets everybody hear these groups
            (NL_CFG_F_NONROOT_RECV, seen on 6.18); a security module need not.
        NotSupportedError: this kernel has no netlink.
    """

    def __init__(self, receive_bytes: int) -> None:
        super().__init__(DESTROY_GROUPS)
        self._socket.setblocking(False)
        self._dropped = 0
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, receive_bytes)
        except OSError:
            # Not our own user namespace: as much as everybody may have.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)

    def read(self, most: int) -> Sockets:
        """What has come in, at most so many sockets; `dropped` says what has not.

        Raises:
            FailedError: what came can not be read.
        """
        filled = taken = 0
        while taken < most:
            try:
                filled = self._receive(filled, WITHOUT_WAITING)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno == errno.ENOBUFS:
                    continue  # said once after a loss; `dropped` has the number
                reason = error.strerror or os.strerror(error.errno or 0)
                raise FailedError(NEWS, reason, error.errno or 0) from error
            taken += 1
        if not filled:
            return np.empty(0, SOCKET)
        return parse_sockets(find_messages(self._buffer[: filled // 4]))

    def dropped(self) -> int:
        """How many messages found no room since the last call."""
        before = self._dropped
        with suppress(OSError):
            said = self._socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, MEMINFO_BYTES)
            if len(said) == MEMINFO_BYTES:
                self._dropped = int(np.frombuffer(said, np.uint32)[MEMINFO_DROPS])
        return (self._dropped - before) & 0xFFFFFFFF


def _request(sequence: int, family: int, protocol: int, states: int) -> bytes:
    """``struct inet_diag_req_v2`` for all sockets: no address, no port, no cookie."""
    extensions = 1 << (INET_DIAG_INFO - 1)
    body = struct.pack("=BBBxI", family, protocol, extensions, states)
    identity = bytes(DIAG.fields["cookie"][1] - 4 if DIAG.fields else 0) + b"\xff" * 8
    length = HEADER_BYTES + len(body) + len(identity)
    header = struct.pack(
        "=IHHII", length, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, sequence, 0
    )
    return header + body + identity
