"""What netlink sockets have in common, whoever they talk to: dumps, news of multicast groups."""

from __future__ import annotations

import errno
import os
import socket
import struct
from contextlib import suppress

import numpy as np

from connscope.errors import FailedError, NotPermittedError, NotSupportedError
from connscope.kernel.netlink.layout import HEADER_BYTES
from connscope.kernel.netlink.messages import Words, find_messages
from connscope.kernel.resource import Resource

__all__ = ("NLM_F_DUMP", "DumpSocket", "NetlinkSocket", "NewsSocket")

NLM_F_REQUEST, NLM_F_DUMP = 1, 0x300
# As plain numbers: those of the socket module take a microsecond to combine.
MSG_TRUNC = int(socket.MSG_TRUNC)
WITHOUT_WAITING = MSG_TRUNC | int(socket.MSG_DONTWAIT)
SO_RCVBUFFORCE, SO_MEMINFO = 33, 55
MEMINFO_DROPS = 8
MEMINFO_BYTES = 9 * 4
DONE_WORDS = HEADER_BYTES // 4 + 1  # NLMSG_DONE: a header, an errno

ROOM_BYTES = 1 << 16  # the kernel never makes a datagram of more than 32 KiB for a dump
FIRST_BYTES = 1 << 20
ANSWER_S = 10.0  # far beyond what a dump of any size needs between two datagrams


class NetlinkSocket(Resource):
    """A netlink socket and a buffer that grows with what comes in at once.

    Args:
        protocol: of netlink, e.g. NETLINK_SOCK_DIAG.
        feature: what it is for, in the words of an error.

    Raises:
        NotSupportedError: this kernel has no such netlink.
        FailedError: it tried and failed.
    """

    def __init__(self, protocol: int, feature: str) -> None:
        self._feature = feature
        self._buffer = np.empty(FIRST_BYTES // 4, np.uint32)
        self._bytes = self._buffer.view(np.uint8).data
        try:
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        except OSError as error:
            reason = f"no netlink socket: {error.strerror}"
            if error.errno in (errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT):
                raise NotSupportedError(feature, reason) from error
            raise FailedError(feature, reason, error.errno or 0) from error

    def _join(self, groups: int) -> None:
        """Hears these groups, a bit for each, and the answers to what it asks; nobody else's."""
        try:
            self._socket.bind((0, groups))
            # From now on nobody but the kernel can send to this socket.
            self._socket.connect((0, 0))
        except OSError as error:
            self._socket.close()
            if error.errno in (errno.EPERM, errno.EACCES):
                missing = ("CAP_NET_ADMIN",)
                refusal = NotPermittedError(self._feature, "CAP_NET_ADMIN is missing", missing)
                raise refusal from error
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> FailedError:
        reason = error.strerror or os.strerror(error.errno or 0)
        return FailedError(self._feature, reason, error.errno or 0)

    def _receive(self, filled: int, flags: int = MSG_TRUNC) -> int:
        """Takes one datagram behind what is there, in bytes; where it ends, on a whole word.

        Raises:
            OSError: as recv(2) does.
        """
        if len(self._bytes) - filled < ROOM_BYTES:
            self._grow(filled)
        end = filled + self._socket.recv_into(self._bytes[filled:], 0, flags)
        if end > len(self._bytes):
            raise FailedError(self._feature, f"a datagram of {end - filled} bytes was cut off")
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


class DumpSocket(NetlinkSocket):
    """Asks the kernel, and waits for the whole answer.

    Args:
        protocol, feature: as of `NetlinkSocket`.
        answer: the type of the messages that an answer is made of.

    Raises:
        KernelError: as `NetlinkSocket`.
    """

    def __init__(self, protocol: int, feature: str, answer: int) -> None:
        super().__init__(protocol, feature)
        self._answer = answer
        self._join(0)
        self._socket.settimeout(ANSWER_S)
        self._sequence = 0

    def _ask(self, kind: int, body: bytes, flags: int = NLM_F_DUMP) -> Words:
        """The messages as they came, valid until the next call.

        Args:
            kind: the type of the request.
            body: what follows its header.
            flags: without NLM_F_DUMP the answer is one datagram.

        Raises:
            FailedError: the kernel refused, or did not answer.
        """
        self._sequence += 1
        length = HEADER_BYTES + len(body)
        flags |= NLM_F_REQUEST
        header = struct.pack("=IHHII", length, kind, flags, self._sequence, 0)
        try:
            self._socket.send(header + body)
            return self._receive_answer(bool(flags & NLM_F_DUMP))
        except TimeoutError as error:
            raise FailedError(self._feature, f"no answer within {ANSWER_S:g} s") from error
        except OSError as error:
            raise self._failed(error) from error
        except FailedError as error:
            raise FailedError(self._feature, error.reason, error.errno) from error

    def _receive_answer(self, is_dump: bool) -> Words:
        filled = 0
        while True:
            end = self._receive(filled)
            if self._ends(filled, end) or not is_dump:
                return self._buffer[: end // 4]
            filled = end

    def _ends(self, begin: int, end: int) -> bool:
        """Whether a dump ends with this datagram. Only those that may have an end are parsed.

        The end comes alone, or behind the last messages if a kernel finds room for it there.
        """
        words = self._buffer[begin // 4 : end // 4]
        if len(words) < HEADER_BYTES // 4:
            raise FailedError(self._feature, f"an answer of {end - begin} bytes")
        is_content = int(words[1]) & 0xFFFF == self._answer
        may_end = len(words) >= DONE_WORDS and int(words[-DONE_WORDS]) == DONE_WORDS * 4
        if is_content and not may_end:
            return False
        return find_messages(words, self._sequence).is_done


class NewsSocket(NetlinkSocket):
    """Hears what the kernel tells to multicast groups.

    Args:
        protocol, feature: as of `NetlinkSocket`.
        receive_bytes: how much may wait for us; more than net.core.rmem_max with CAP_NET_ADMIN.
    """

    def __init__(self, protocol: int, feature: str, receive_bytes: int) -> None:
        super().__init__(protocol, feature)
        self._socket.setblocking(False)
        self._dropped = 0
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, receive_bytes)
        except OSError:
            # Not our own user namespace: as much as everybody may have.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)

    def _hear(self, most: int) -> Words:
        """What has come in, at most so many datagrams, valid until the next call.

        Raises:
            FailedError: nothing can be received any more.
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
                raise self._failed(error) from error
            taken += 1
        return self._buffer[: filled // 4]

    def dropped(self) -> int:
        """How many messages found no room since the last call."""
        before = self._dropped
        with suppress(OSError):
            said = self._socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, MEMINFO_BYTES)
            if len(said) == MEMINFO_BYTES:
                self._dropped = int(np.frombuffer(said, np.uint32)[MEMINFO_DROPS])
        return (self._dropped - before) & 0xFFFFFFFF
