"""What conntrack says of flows, as columns: linux/netfilter/nfnetlink_conntrack.h."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.kernel.netlink.layout import HEADER_BYTES
from connscope.kernel.netlink.messages import Attribute, Layout, Messages, layouts

__all__ = ("ASSURED", "CT_DELETE", "CT_NEW", "FLOW", "Flows", "parse_flows")

CT_NEW, CT_DELETE = 0x100, 0x102
"""Types of messages: NFNL_SUBSYS_CTNETLINK, and what became of the flow."""

ASSURED = 1 << 2
"""A bit of `status`: both ends have spoken, for longer than two seconds."""

BODY_BYTES = HEADER_BYTES + 4  # struct nfgenmsg

ADDRESS = np.dtype((np.uint8, 16))
FLOW = np.dtype(
    [
        ("original_source", ADDRESS),
        ("original_target", ADDRESS),
        ("reply_source", ADDRESS),
        ("reply_target", ADDRESS),
        ("original_packets", np.uint64),
        ("original_bytes", np.uint64),
        ("reply_packets", np.uint64),
        ("reply_bytes", np.uint64),
        ("start_ns", np.uint64),
        ("stop_ns", np.uint64),
        ("event_ns", np.uint64),
        ("id", np.uint32),
        ("status", np.uint32),
        ("original_source_port", np.uint16),
        ("original_target_port", np.uint16),
        ("reply_source_port", np.uint16),
        ("reply_target_port", np.uint16),
        ("protocol", np.uint8),
        ("family", np.uint8),
        ("is_gone", np.bool_),
        ("has_counters", np.bool_),
    ]
)
"""One message. A tuple is how packets of a direction look where they come from: what NAT does is
the difference between the original one and that of the replies.

Addresses are 16 bytes, IPv4 as v4-mapped, ports host order. Bytes are those of IP, headers and all.
Times are nanoseconds since 1970, 0 where conntrack does not keep them (nf_conntrack_timestamp).
"""

Flows = npt.NDArray[Any]
"""An array of `FLOW`, shape (n,)."""

TUPLES = ((1, "original"), (2, "reply"))
PROTOCOL, STATUS, ID, TIMESTAMP, EVENT = (1, 2, 1), (3,), (12,), (20,), (27,)
COUNTERS = ((9, "original"), (10, "reply"))
V4_BYTES, V6_BYTES = 4, 16
MAPPED = np.frombuffer(bytes(10) + b"\xff\xff", np.uint8)

ADDRESSES: dict[tuple[int, ...], tuple[str, int]] = {
    (tuple_, 1, kind): (f"{name}_{side}", size)
    for tuple_, name in TUPLES
    for kind, side, size in (
        (1, "source", V4_BYTES),
        (2, "target", V4_BYTES),
        (3, "source", V6_BYTES),
        (4, "target", V6_BYTES),
    )
}
NUMBERS: dict[tuple[int, ...], tuple[str, str]] = {
    PROTOCOL: ("protocol", "u1"),
    STATUS: ("status", ">u4"),
    ID: ("id", ">u4"),
    (*TIMESTAMP, 1): ("start_ns", ">u8"),
    (*TIMESTAMP, 2): ("stop_ns", ">u8"),
    EVENT: ("event_ns", ">u8"),
    **{(tuple_, 2, 2): (f"{name}_source_port", ">u2") for tuple_, name in TUPLES},
    **{(tuple_, 2, 3): (f"{name}_target_port", ">u2") for tuple_, name in TUPLES},
    **{(counter, 1): (f"{name}_packets", ">u8") for counter, name in COUNTERS},
    **{(counter, 2): (f"{name}_bytes", ">u8") for counter, name in COUNTERS},
}
NESTS = frozenset(path[:depth] for path in (*ADDRESSES, *NUMBERS) for depth in range(1, len(path)))


def parse_flows(messages: Messages) -> Flows:
    """One `FLOW` for each message, in their order; what a message does not say is 0.

    Raises:
        FailedError: a message is shorter than it has to be, or its attributes do not fit into it.
    """
    flows = np.zeros(len(messages.starts), FLOW)
    for layout in layouts(messages, BODY_BYTES, NESTS):
        found = np.zeros(len(layout.chosen), FLOW)
        _fill(layout, found)
        flows[layout.chosen] = found
    flows["is_gone"] = messages.kinds == CT_DELETE
    return flows


def _fill(layout: Layout, flows: Flows) -> None:
    content = layout.matrix.view(np.uint8)
    for attribute in layout.attributes:
        if address := ADDRESSES.get(attribute.path):
            _fill_address(content, attribute, flows, *address)
        elif number := NUMBERS.get(attribute.path):
            _fill_number(content, attribute, flows, *number)


def _fill_address(
    content: npt.NDArray[np.uint8], attribute: Attribute, flows: Flows, name: str, size: int
) -> None:
    if attribute.length != size:
        return
    there, begin = flows[name], attribute.begin
    there[:, 16 - size :] = content[:, begin : begin + size]
    if size == V4_BYTES:
        there[:, : len(MAPPED)] = MAPPED
    flows["family"] = 4 if size == V4_BYTES else 6


def _fill_number(
    content: npt.NDArray[np.uint8], attribute: Attribute, flows: Flows, name: str, kind: str
) -> None:
    wanted, begin = np.dtype(kind), attribute.begin
    if attribute.length != wanted.itemsize:
        return
    flows[name] = content[:, begin : begin + wanted.itemsize].view(wanted)[:, 0]
    if attribute.path[0] in dict(COUNTERS):
        flows["has_counters"] = True
