"""What sock_diag says of a socket, byte by byte: linux/inet_diag.h and linux/tcp.h."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = (
    "DIAG",
    "HEADER_BYTES",
    "INFO",
    "INFO_HAS_BYTES_SENT",
    "INFO_OFFSETS",
    "SOCKET",
    "Sockets",
)

HEADER_BYTES = 16
"""Of struct nlmsghdr, in front of each message."""

DIAG = np.dtype(
    [
        ("family", np.uint8),
        ("state", np.uint8),
        ("timer", np.uint8),
        ("retrans", np.uint8),
        ("local_port", ">u2"),
        ("peer_port", ">u2"),
        ("local_address", np.uint8, 16),
        ("peer_address", np.uint8, 16),
        ("interface", np.uint32),
        ("cookie", np.uint32, 2),
        ("expires", np.uint32),
        ("receive_queue", np.uint32),
        ("send_queue", np.uint32),
        ("uid", np.uint32),
        ("inode", np.uint32),
    ]
)
"""``struct inet_diag_msg``. The cookie is two halves, the low one first on every machine."""

INFO = np.dtype(
    [
        ("rtt_us", np.uint32),
        ("rtt_var_us", np.uint32),
        ("total_retrans", np.uint32),
        ("bytes_acked", np.uint64),
        ("bytes_received", np.uint64),
        ("segments_out", np.uint32),
        ("segments_in", np.uint32),
        ("not_sent", np.uint32),
        ("min_rtt_us", np.uint32),
        ("data_segments_in", np.uint32),
        ("delivered", np.uint32),
        ("bytes_sent", np.uint64),
        ("bytes_retrans", np.uint64),
    ]
)
"""What we read of ``struct tcp_info``; a kernel that has less leaves the rest zero."""

INFO_OFFSETS = (68, 72, 100, 120, 128, 136, 140, 144, 148, 152, 192, 200, 208)
"""Where ``tcp_info`` has them."""

INFO_HAS_BYTES_SENT = 216
"""An `info_bytes` of so many has all fields; 4.19 brought the last ones."""

SOCKET = np.dtype(
    [
        ("diag", DIAG),
        ("info", INFO),
        ("cgroup_id", np.uint64),
        ("info_bytes", np.uint16),
        ("shutdown", np.uint8),
        ("is_mptcp", np.bool_),
    ]
)
"""One message: its fixed part, and the attributes that we ask for.

`info_bytes` is how many bytes of ``tcp_info`` came, 0 for none; `is_mptcp` is set for subflows.
"""

Sockets = npt.NDArray[Any]
"""An array of `SOCKET`, shape (n,)."""
