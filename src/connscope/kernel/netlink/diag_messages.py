"""What sock_diag says of sockets, as columns."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from connscope.kernel.netlink.layout import (
    DIAG,
    HEADER_BYTES,
    INFO,
    INFO_OFFSETS,
    SOCKET,
    Sockets,
)
from connscope.kernel.netlink.messages import Layout, Messages, layouts

__all__ = ("INET_DIAG_INFO", "SOCK_DIAG_BY_FAMILY", "parse_sockets")

SOCK_DIAG_BY_FAMILY = 20
BODY_BYTES = HEADER_BYTES + DIAG.itemsize

INET_DIAG_INFO, INET_DIAG_SHUTDOWN, INET_DIAG_ULP_INFO, INET_DIAG_CGROUP_ID = 2, 8, 19, 21
ULP_NAME = np.frombuffer(b"mptcp\0", np.uint8)
ULP_NAME_AT = 4  # in INET_DIAG_ULP_INFO: behind the header of the name, which comes first

DIAG_AT = SOCKET.fields["diag"][1] if SOCKET.fields else 0
INFO_FIELDS = tuple(zip(INFO.names or (), INFO_OFFSETS, strict=True))


def parse_sockets(messages: Messages) -> Sockets:
    """One `SOCKET` for each message, in their order.

    Raises:
        FailedError: a message is shorter than it has to be, or its attributes do not fit into it.
    """
    sockets = np.zeros(len(messages.starts), SOCKET)
    for layout in layouts(messages, BODY_BYTES):
        if len(layout.chosen) == len(sockets):
            _fill(layout, sockets)
            break
        found = np.zeros(len(layout.chosen), SOCKET)
        _fill(layout, found)
        sockets[layout.chosen] = found
    return sockets


def _fill(layout: Layout, sockets: Sockets) -> None:
    here, there = layout.matrix.view(np.uint8), sockets.view(np.uint8).reshape(len(sockets), -1)
    there[:, DIAG_AT : DIAG_AT + DIAG.itemsize] = here[:, HEADER_BYTES:BODY_BYTES]
    for attribute in layout.attributes:
        (kind,), begin, length = attribute.path, attribute.begin, attribute.length
        if kind == INET_DIAG_INFO:
            _fill_info(here[:, begin : begin + length], sockets)
        elif kind == INET_DIAG_CGROUP_ID and length == 8:
            sockets["cgroup_id"] = here[:, begin : begin + 8].view(np.uint64)[:, 0]
        elif kind == INET_DIAG_SHUTDOWN and length:
            sockets["shutdown"] = here[:, begin]
        elif kind == INET_DIAG_ULP_INFO and length >= ULP_NAME_AT + len(ULP_NAME):
            name = begin + ULP_NAME_AT
            sockets["is_mptcp"] = (here[:, name : name + len(ULP_NAME)] == ULP_NAME).all(axis=1)


def _fill_info(content: npt.NDArray[np.uint8], sockets: Sockets) -> None:
    """As many fields as came: ``tcp_info`` grows at its end."""
    info, length = sockets["info"], content.shape[1]
    for name, offset in INFO_FIELDS:
        kind = INFO[name]
        if offset + kind.itemsize <= length:
            info[name] = content[:, offset : offset + kind.itemsize].view(kind)[:, 0]
    sockets["info_bytes"] = length
