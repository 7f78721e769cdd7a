"""A socket that asks which addresses a network namespace takes for its own."""

from __future__ import annotations

import errno
import socket
import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.errors import FailedError
from connscope.kernel.netlink.layout import HEADER_BYTES
from connscope.kernel.netlink.messages import Layout, find_messages, layouts
from connscope.kernel.netlink.netlink_socket import DumpSocket

__all__ = ("BROADCAST", "LOCAL", "ROUTE", "LocalRoutes", "Routes")

NETLINK_ROUTE = 0
RTM_NEWROUTE, RTM_GETROUTE = 24, 26
SOL_NETLINK, NETLINK_GET_STRICT_CHK = 270, 12
TABLE_LOCAL = 255
LOCAL, BROADCAST = 2, 3
"""`kind` of a route: RTN_LOCAL, RTN_BROADCAST."""

DESTINATION = (1,)
BODY_BYTES = HEADER_BYTES + 12  # struct rtmsg
FAMILIES = (socket.AF_INET, socket.AF_INET6)
MAPPED = np.frombuffer(bytes(10) + b"\xff\xff", np.uint8)
MAPPED_BITS = 96
FEATURE = "local addresses"

ROUTE = np.dtype(
    [
        ("address", np.uint8, 16),
        ("bits", np.uint8),
        ("kind", np.uint8),
        ("family", np.uint8),
        ("table", np.uint8),
    ]
)
"""So many first bits of an address, which is 16 bytes with IPv4 as v4-mapped."""

Routes = npt.NDArray[Any]
"""An array of `ROUTE`, shape (n,)."""


class LocalRoutes(DumpSocket):
    """Asks for the local routing table of the network namespace that it was made in.

    Raises:
        NotSupportedError: this kernel has no netlink.
    """

    def __init__(self) -> None:
        super().__init__(NETLINK_ROUTE, FEATURE, RTM_NEWROUTE)
        try:
            # The kernel leaves other tables out (4.20), which can be long.
            self._socket.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
        except OSError:
            return  # then it sends them all

    def read(self) -> Routes:
        """What is delivered here and not sent on, see `ROUTE`.

        Raises:
            FailedError: it was tried and failed.
        """
        parts = [np.empty(0, ROUTE)]
        for family in FAMILIES:
            body = struct.pack("=BBBBBBBBI", family, 0, 0, 0, TABLE_LOCAL, 0, 0, 0, 0)
            try:
                words = self._ask(RTM_GETROUTE, body)
            except FailedError as error:
                # No interface has ever had an address, or the kernel has no IPv6.
                if error.errno == errno.ENOENT or family == socket.AF_INET6:
                    continue
                raise
            messages = find_messages(words, self._sequence, RTM_NEWROUTE)
            routes = np.zeros(len(messages.starts), ROUTE)
            for layout in layouts(messages, BODY_BYTES):
                routes[layout.chosen] = _routes(layout)
            parts.append(routes[(routes["table"] == TABLE_LOCAL) & (routes["family"] == family)])
        return np.concatenate(parts)


def _routes(layout: Layout) -> Routes:
    content, routes = layout.matrix.view(np.uint8), np.zeros(len(layout.chosen), ROUTE)
    for name, at in (("family", 0), ("bits", 1), ("table", 4), ("kind", 7)):
        routes[name] = content[:, HEADER_BYTES + at]
    is_v4 = routes["family"] == socket.AF_INET
    routes["bits"] += np.where(is_v4, MAPPED_BITS, 0).astype(np.uint8)
    routes["address"][is_v4, : len(MAPPED)] = MAPPED
    for attribute in layout.attributes:
        size = attribute.length
        if attribute.path == DESTINATION and size in (4, 16):
            routes["address"][:, 16 - size :] = content[:, attribute.begin : attribute.begin + size]
    return routes
