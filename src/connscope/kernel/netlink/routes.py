"""Which addresses are broadcast addresses, as the kernel routes them."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import numpy.typing as npt

from connscope.kernel.netlink.layout import HEADER_BYTES

__all__ = ("parse_broadcast_routes", "read_broadcast_addresses")

NETLINK_ROUTE = 0
SOL_NETLINK, NETLINK_GET_STRICT_CHK = 270, 12
NLM_F_REQUEST, NLM_F_DUMP = 1, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
RTM_NEWROUTE, RTM_GETROUTE = 24, 26
RT_TABLE_LOCAL, RTN_BROADCAST, RTA_DST = 255, 3, 1
ATTRIBUTE_TYPE = 0x3FFF

HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
ROUTE = struct.Struct("=BBBBBBBBI")  # struct rtmsg
ATTRIBUTE = struct.Struct("=HH")  # struct rtattr
ROOM_BYTES = 1 << 16  # the kernel never makes a datagram of more than 32 KiB for a dump
ANSWER_S = 10.0


def read_broadcast_addresses() -> npt.NDArray[np.uint32]:
    """Those of all networks of the namespace that this thread is in: IPv4, ascending.

    Asked for are routes and not addresses: an address without ``brd`` has a broadcast address all
    the same, and kernels differ in whether the first one of a network is one.

    Raises:
        OSError: the kernel can not be asked.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE) as asked:
        asked.settimeout(ANSWER_S)
        asked.bind((0, 0))
        # From now on nobody but the kernel can send to this socket.
        asked.connect((0, 0))
        with suppress(OSError):  # before 4.20 all routes come, and we take those that we want
            asked.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
        asked.send(_request())
        found, is_done = list[int](), False
        while not is_done:
            more, is_done = parse_broadcast_routes(asked.recv(ROOM_BYTES))
            found += more
    return np.unique(np.array(found, np.uint32))


def _request() -> bytes:
    """A dump of the broadcast routes among those that the kernel itself has made."""
    route = ROUTE.pack(socket.AF_INET, 0, 0, 0, RT_TABLE_LOCAL, 0, 0, RTN_BROADCAST, 0)
    length = HEADER_BYTES + len(route)
    return HEADER.pack(length, RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, 0, 0) + route


def parse_broadcast_routes(datagram: bytes) -> tuple[list[int], bool]:
    """The broadcast addresses of the routes in a datagram, and whether the dump ends with it.

    Raises:
        OSError: the kernel refuses, or this is no netlink.
    """
    found, at = list[int](), 0
    while at < len(datagram):
        length, kind = _head(datagram, at)
        body = datagram[at + HEADER_BYTES : at + length]
        if kind in (NLMSG_ERROR, NLMSG_DONE):
            _raise_refusal(body)
            return found, True
        if kind == RTM_NEWROUTE:
            found += _broadcast_addresses(body)
        at += (length + 3) & ~3
    return found, False


def _head(datagram: bytes, at: int) -> tuple[int, int]:
    if at + HEADER_BYTES > len(datagram):
        raise OSError(f"{len(datagram) - at} bytes are no netlink message")
    length, kind, *_ = HEADER.unpack_from(datagram, at)
    if length < HEADER_BYTES or at + length > len(datagram):
        raise OSError(f"a netlink message of {length} bytes at {at} of {len(datagram)}")
    return length, kind


def _raise_refusal(body: bytes) -> None:
    number = -int.from_bytes(body[:4], "little", signed=True)
    # ENOENT: there is no table yet, because no address was ever given to an interface.
    if number > 0 and number != errno.ENOENT:
        raise OSError(number, os.strerror(number))


def _broadcast_addresses(body: bytes) -> Iterator[int]:
    """The one address of a broadcast route, none of any other."""
    if len(body) < ROUTE.size:
        return
    family, bits, _, _, _, _, _, kind, _ = ROUTE.unpack_from(body)
    if (family, bits, kind) != (socket.AF_INET, 32, RTN_BROADCAST):
        return
    at = ROUTE.size
    while at + ATTRIBUTE.size <= len(body):
        length, name = ATTRIBUTE.unpack_from(body, at)
        if name & ATTRIBUTE_TYPE == RTA_DST and length == ATTRIBUTE.size + 4:
            yield int.from_bytes(body[at + ATTRIBUTE.size : at + length], "big")
        at += max((length + 3) & ~3, ATTRIBUTE.size)
