"""What conntrack says of flows, as rows: one for each end that is of the namespace."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from connscope.capture.conntrack.addresses import OwnAddresses
from connscope.capture.conntrack.keys import address_words, mixed
from connscope.kernel.host.conntrack import UdpTimeouts
from connscope.kernel.netlink.conntrack_messages import ASSURED, Flows
from connscope.row.columns import NO_UID, ROW, Rows
from connscope.row.words import Group, Kind, Protocol, Role, State

__all__ = ("Moment", "flow_rows")

NS_PER_S = 1_000_000_000
UDP_HEADER, V4_HEADER, V6_HEADER = 8, 20, 40
FLOW_BIT = np.uint64(1 << 63)
"""In the id of each row of a flow, and of no socket: cookies count from one."""
NO_ID = np.uint64(0xFFFFFFFFFFFFFFFF)
SEGMENTS_MAX = np.iinfo(ROW["segments_sent"]).max
"""conntrack counts with 64 bits. What a row has no room for stops there, it does not start anew."""

Ids = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]
Times = npt.NDArray[np.uint64]


class Moment(NamedTuple):
    """When something was read.

    Attributes:
        time_ns: CLOCK_BOOTTIME.
        wall_minus_boottime_ns: of that moment; conntrack has times of day.
    """

    time_ns: int
    wall_minus_boottime_ns: int


def flow_rows(
    flows: Flows,
    own: OwnAddresses,
    netns: int,
    moment: Moment,
    timeouts: UdpTimeouts,
    *,
    is_news: bool = True,
    are_known: Callable[[Ids], Mask] | None = None,
) -> Rows:
    """A row for each end of a flow that is in the namespace, in the order of the flows.

    Of a flow between two sockets of the namespace there are two rows; of one that is only passed on
    there is none. The ends are those that the sockets themselves see, on this side of any NAT. What
    goes to a group makes a row of the receiving end, but not where it comes from here.

    Bytes are those of IP without its headers: the payload, unless there were options.

    Args:
        flows: UDP.
        own: addresses of the namespace.
        netns: its inode.
        moment: when they were read.
        timeouts: how long after its last datagram a flow was told to be over.
        is_news: they begin or end now; else they are shown by a look.
        are_known: which ids are those of rows that were made before. Their ends are still ends of
            here if an address has gone meanwhile.
    """
    client_ids, server_ids = (_ids(flows, netns, role) for role in (Role.CLIENT, Role.SERVER))
    is_sent = own.has(flows["original_source"])
    is_received = own.has(flows["reply_source"])
    is_received |= ~is_sent & own.hears(flows["original_target"])
    is_received &= ~(is_sent & _is_to_itself(flows))
    if are_known:
        is_sent |= are_known(client_ids)
        is_received |= are_known(server_ids)
    which = np.concatenate((np.flatnonzero(is_sent), np.flatnonzero(is_received)))
    rows = np.concatenate(
        (
            _view(flows[is_sent], "original", "reply", Role.CLIENT),
            _view(flows[is_received], "reply", "original", Role.SERVER),
        )
    )
    order = np.argsort(which, kind="stable")
    rows, flows = rows[order], flows[which[order]]
    rows["netns"], rows["time_ns"], rows["uid"] = netns, moment.time_ns, NO_UID
    ids = np.concatenate((client_ids[is_sent], server_ids[is_received]))
    rows["connection_id"] = ids[order]
    _fill_life(rows, flows, moment, timeouts, is_news=is_news)
    return rows


def _is_to_itself(flows: Flows) -> Mask:
    same: Mask = flows["reply_source_port"] == flows["original_source_port"]
    same &= (flows["reply_source"] == flows["original_source"]).all(axis=1)
    return same


def _view(flows: Flows, out: str, back: str, role: Role) -> Rows:
    """What the end sees whose packets have the tuple `out`, and get those of `back`."""
    rows = np.zeros(len(flows), ROW)
    rows["protocol"], rows["role"], rows["state"] = Protocol.UDP, role, State.ESTABLISHED
    rows["family"] = flows["family"]
    rows["local_address"], rows["peer_address"] = flows[f"{out}_source"], flows[f"{out}_target"]
    rows["local_port"] = flows[f"{out}_source_port"]
    rows["peer_port"] = flows[f"{out}_target_port"]
    for column, direction in (("segments_sent", out), ("segments_received", back)):
        rows[column] = np.minimum(flows[f"{direction}_packets"], SEGMENTS_MAX)
    rows["bytes_sent"], rows["bytes_received"] = _payload(flows, out), _payload(flows, back)
    rows["known"] = rows["exact"] = Group.IDENTITY | Group.ENDS
    rows["known"] |= np.where(flows["has_counters"], Group.TRAFFIC, 0).astype(np.uint16)
    return rows


def _payload(flows: Flows, direction: str) -> npt.NDArray[np.uint64]:
    headers = np.where(flows["family"] == 4, V4_HEADER, V6_HEADER) + UDP_HEADER
    taken = flows[f"{direction}_packets"] * headers.astype(np.uint64)
    counted = flows[f"{direction}_bytes"]
    found: npt.NDArray[np.uint64] = counted - np.minimum(taken, counted)
    return found


def _ids(flows: Flows, netns: int, role: Role) -> Ids:
    """Of conntrack's own id, the namespace, the ends as they were first, and which end it is."""
    found = mixed(
        flows["id"],
        netns,
        int(role),
        *address_words(flows["original_source"]),
        *address_words(flows["original_target"]),
        flows["original_source_port"],
        flows["original_target_port"],
    )
    found |= FLOW_BIT
    return np.where(found == NO_ID, FLOW_BIT, found)


def _fill_life(
    rows: Rows, flows: Flows, moment: Moment, timeouts: UdpTimeouts, *, is_news: bool
) -> None:
    """When a flow began, and of one that is over when its last datagram was."""
    is_gone = flows["is_gone"]
    rows["kind"] = np.where(is_gone, Kind.IDLE, Kind.OPENED if is_news else Kind.SNAPSHOT)
    opened = np.where(flows["start_ns"] | is_gone, flows["start_ns"], flows["event_ns"])
    opened_ns = _boottime(opened, moment, 0)
    if is_news:
        opened_ns = np.where(is_gone | (opened_ns > 0), opened_ns, moment.time_ns)
    silent_s = np.where(flows["status"] & ASSURED, timeouts.stream_s, timeouts.single_s)
    over = np.where(flows["stop_ns"], flows["stop_ns"], flows["event_ns"])
    over_ns = _boottime(over, moment, moment.time_ns)
    closed_ns = np.maximum(over_ns - np.minimum(silent_s * NS_PER_S, over_ns), opened_ns)
    rows["opened_ns"], rows["closed_ns"] = opened_ns, np.where(is_gone, closed_ns, 0)
    rows["state"][is_gone] = State.CLOSE
    rows["known"] |= np.where(is_gone | (opened_ns > 0), Group.LIFE, 0).astype(np.uint16)


def _boottime(wall_ns: Times, moment: Moment, unknown_ns: int) -> npt.NDArray[np.int64]:
    """Times of day as those of CLOCK_BOOTTIME, none of them later than now."""
    since_boot = wall_ns.astype(np.int64) - moment.wall_minus_boottime_ns
    found: npt.NDArray[np.int64] = np.clip(since_boot, 0, moment.time_ns)
    return np.where(wall_ns > 0, found, unknown_ns)
