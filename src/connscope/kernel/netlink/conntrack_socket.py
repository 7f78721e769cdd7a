"""Sockets that ask conntrack about UDP flows: dumps, and news of those that begin and end."""

from __future__ import annotations

import ctypes
import errno
import socket
import struct

import numpy as np

from connscope.errors import FailedError, NotPermittedError, NotSupportedError
from connscope.kernel.netlink.conntrack_messages import CT_DELETE, CT_NEW, FLOW, Flows, parse_flows
from connscope.kernel.netlink.layout import HEADER_BYTES
from connscope.kernel.netlink.messages import Words, find_messages
from connscope.kernel.netlink.netlink_socket import NLM_F_DUMP, DumpSocket, NewsSocket

__all__ = ("ConntrackDump", "ConntrackNews", "take_udp_only")

NETLINK_NETFILTER = 12
CT_GET, CT_GET_STATS = 0x101, 0x105
STATS_ENTRIES = 1
# Multicast groups as bits: NFNLGRP_CONNTRACK_NEW is 1, NFNLGRP_CONNTRACK_DESTROY 3.
GROUPS = 1 << 0 | 1 << 2
FEATURE, NEWS = "conntrack", "news of conntrack"
FAMILIES = (socket.AF_INET, socket.AF_INET6)
UDP = 17
FEW = 2048  # flows of other protocols, of which we throw away so many
TRIES = 4

NESTED = 0x8000
TUPLE_ORIGINAL, TUPLE_PROTO, PROTO_NUM, FILTER, FILTER_ORIGINAL = 1, 2, 1, 25, 1
BY_PROTOCOL = 1 << 3  # of CTA_FILTER: compare the protocol's number, nothing else (5.8)

SO_ATTACH_FILTER = 26
LOAD, LOAD_BYTE, EQUAL, RETURN = 0x20, 0x50, 0x15, 0x06  # LD|ABS|W, LD|IND|B, JMP|JEQ|K, RET|K
SET_A, SET_X, TO_X = 0x00, 0x01, 0x07  # LD|IMM, LDX|IMM, MISC|TAX
FIND, FIND_INSIDE = 0xFFFFF000 + 12, 0xFFFFF000 + 16  # SKF_AD_OFF + SKF_AD_NLATTR, ..._NEST
ALL, NOTHING = 0xFFFFFFFF, 0

ONLY_UDP = (
    (SET_A, 0, 0, HEADER_BYTES + 4),
    (SET_X, 0, 0, TUPLE_ORIGINAL),
    (LOAD, 0, 0, FIND),
    (EQUAL, 9, 0, 0),
    (SET_X, 0, 0, TUPLE_PROTO),
    (LOAD, 0, 0, FIND_INSIDE),
    (EQUAL, 6, 0, 0),
    (SET_X, 0, 0, PROTO_NUM),
    (LOAD, 0, 0, FIND_INSIDE),
    (EQUAL, 3, 0, 0),
    (TO_X, 0, 0, 0),
    (LOAD_BYTE, 0, 0, 4),
    (EQUAL, 0, 1, UDP),
    (RETURN, 0, 0, ALL),
    (RETURN, 0, 0, NOTHING),
)
"""Classic BPF: the kernel drops news of other protocols before they take room. What it can not make
sense of it lets through."""


class ConntrackDump(DumpSocket):
    """Asks for the UDP flows of the network namespace that it was made in.

    With each dump conntrack also ends those that have been over for a while, and tells so.

    Raises:
        NotSupportedError: this kernel has no netfilter.
    """

    def __init__(self) -> None:
        super().__init__(NETLINK_NETFILTER, FEATURE, CT_NEW)

    def read(self) -> Flows:
        """All UDP flows that conntrack knows.

        Each dump walks the table that all namespaces share, so where there is nothing none is made,
        and where there is little one for all protocols of IPv4 and IPv6.

        Raises:
            NotSupportedError: the kernel has no nf_conntrack_netlink.
            NotPermittedError: CAP_NET_ADMIN is missing.
            FailedError: it tried and failed.
        """
        count = self.count()
        if not count:
            return np.empty(0, FLOW)
        families = FAMILIES if count > FEW else (socket.AF_UNSPEC,)
        flows = np.concatenate([self._read_family(family) for family in families])
        found: Flows = flows[flows["protocol"] == UDP]  # before 5.8 all protocols come
        return found

    def _read_family(self, family: int) -> Flows:
        for _ in range(TRIES):
            words = self._ask_conntrack(CT_GET, _udp_of(family), NLM_F_DUMP)
            messages = find_messages(words, self._sequence, CT_NEW)
            if not messages.is_interrupted:
                break
        return parse_flows(messages)

    def count(self) -> int:
        """How many flows of all protocols conntrack follows in this namespace.

        Raises:
            KernelError: as `read`.
        """
        words = self._ask_conntrack(CT_GET_STATS, bytes(4), 0)
        begin = HEADER_BYTES // 4 + 1
        header = int(words[begin]) if len(words) > begin + 1 else 0
        if header != STATS_ENTRIES << 16 | 8:
            raise FailedError(FEATURE, "its statistics can not be read")
        return int(words[begin + 1].byteswap())

    def _ask_conntrack(self, kind: int, body: bytes, flags: int) -> Words:
        try:
            words = self._ask(kind, body, flags)
            if not flags:
                find_messages(words, self._sequence)
        except FailedError as error:
            if error.errno == errno.EPERM:
                missing = ("CAP_NET_ADMIN",)
                raise NotPermittedError(FEATURE, "CAP_NET_ADMIN is missing", missing) from error
            if error.errno in (errno.EINVAL, errno.EOPNOTSUPP):
                reason = "the kernel has no nf_conntrack_netlink"
                raise NotSupportedError(FEATURE, reason) from error
            raise
        return words


class ConntrackNews(NewsSocket):
    """Hears of each UDP flow of a network namespace that conntrack begins or ceases to follow.

    Args:
        receive_bytes: how much may wait for us; more than net.core.rmem_max with CAP_NET_ADMIN.

    Raises:
        NotPermittedError: CAP_NET_ADMIN is missing.
        NotSupportedError: this kernel has no netfilter.
    """

    def __init__(self, receive_bytes: int) -> None:
        super().__init__(NETLINK_NETFILTER, NEWS, receive_bytes)
        try:
            take_udp_only(self._socket)
        except OSError as error:
            self._socket.close()
            raise self._failed(error) from error
        self._join(GROUPS)

    def read(self, most: int) -> Flows:
        """What has come in, at most so many flows; `dropped` says what has not.

        Raises:
            FailedError: what came can not be read.
        """
        words = self._hear(most)
        if not len(words):
            return np.empty(0, FLOW)
        flows = parse_flows(find_messages(words, kind=(CT_NEW, CT_DELETE)))
        found: Flows = flows[flows["protocol"] == UDP]
        return found


def take_udp_only(made: socket.socket) -> None:
    """Lets through what conntrack says of UDP, and what is nothing that conntrack says.

    Raises:
        OSError: the kernel does not take the filter.
    """
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in ONLY_UDP)
    room = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("@HP", len(ONLY_UDP), ctypes.addressof(room))
    made.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


def _attribute(kind: int, content: bytes) -> bytes:
    length = 4 + len(content)
    return struct.pack("=HH", length, kind) + content + bytes(-length % 4)


def _udp_of(family: int) -> bytes:
    """The body of a request for UDP flows, without a family for all flows; a kernel that knows no
    filter does without."""
    if family == socket.AF_UNSPEC:
        return bytes(4)
    number = _attribute(PROTO_NUM, bytes((UDP,)))
    wanted = _attribute(NESTED | TUPLE_ORIGINAL, _attribute(NESTED | TUPLE_PROTO, number))
    how = _attribute(FILTER_ORIGINAL, struct.pack("=I", BY_PROTOCOL))
    return struct.pack("=Bxxx", family) + wanted + _attribute(NESTED | FILTER, how)
