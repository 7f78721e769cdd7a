"""What sock_diag says, as rows."""

from __future__ import annotations

import socket
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from connscope.kernel.netlink.layout import INFO_HAS_BYTES_SENT, Sockets
from connscope.row.columns import NO_UID, ROW, Rows
from connscope.row.words import Group, Kind, Protocol, Role, State, Tier

__all__ = (
    "Known",
    "closed_rows",
    "minisocket_rows",
    "snapshot_rows",
    "was_connection",
    "was_wiped",
)

Mask = npt.NDArray[np.bool_]
MAPPED = np.frombuffer(bytes(10) + b"\xff\xff", np.uint8)
HAS_DELIVERED = 196
"""An `info_bytes` of so many has `delivered` (4.18)."""

OUR_FIN_QUEUED = (State.FIN_WAIT1, State.CLOSING, State.LAST_ACK)
OUR_FIN_ACKED = (State.FIN_WAIT2,)
THEIR_FIN_IN = (State.CLOSE_WAIT, State.LAST_ACK, State.CLOSING)
NO_SAMPLE = 0xFFFFFFFF
REFUSED_QUEUE = 3
"""tcp_disconnect() moves write_seq on by the largest window that the peer has shown, and two. With
the SYN that makes three if no peer ever showed one."""


class Known(NamedTuple):
    """What the last looks knew of some sockets, one for one.

    Attributes:
        rows: what they showed; has the owners.
        where: whether they showed anything.
        to_listener: whether the local port is one that something listens on.
        is_told: whether their close was told before.
    """

    rows: Rows
    where: Mask
    to_listener: Mask
    is_told: Mask

    def of(self, chosen: Mask) -> Known:
        """What is known of some of them."""
        return Known(*(part[chosen] for part in self))


def _is_in(states: npt.NDArray[np.uint8], wanted: tuple[State, ...]) -> Mask:
    return np.isin(states, [int(state) for state in wanted])


def _positive(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    found: npt.NDArray[np.int64] = np.maximum(numbers, 0)
    return found


def _new_rows(sockets: Sockets, protocol: int, netns: int, time_ns: int) -> Rows:
    """Identity and ends of each socket, nothing else."""
    diag, rows = sockets["diag"], np.zeros(len(sockets), ROW)
    low, high = diag["cookie"][:, 0], diag["cookie"][:, 1].astype(np.uint64)
    rows["socket_id"] = rows["connection_id"] = low | high << np.uint64(32)
    rows["time_ns"], rows["netns"], rows["tier"] = time_ns, netns, Tier.NETLINK
    rows["protocol"], rows["state"], rows["uid"] = protocol, diag["state"], NO_UID
    rows["local_port"], rows["peer_port"] = diag["local_port"], diag["peer_port"]
    is_v6 = diag["family"] == socket.AF_INET6
    for name in ("local_address", "peer_address"):
        said, address = diag[name], rows[name]
        address[:, :12] = np.where(is_v6[:, None], said[:, :12], MAPPED)
        address[:, 12:] = np.where(is_v6[:, None], said[:, 12:], said[:, :4])
    is_mapped = ~is_v6
    if is_v6.any():
        for name in ("local_address", "peer_address"):
            is_mapped |= (rows[name][:, :12] == MAPPED).all(axis=1)
    rows["family"] = np.where(is_mapped, 4, 6)
    rows["known"] = rows["exact"] = Group.ENDS
    return rows


def minisocket_rows(sockets: Sockets, netns: int, time_ns: int) -> Rows:
    """Rows of SYN_RECV and TIME_WAIT: ends and a state."""
    rows = _new_rows(sockets, Protocol.TCP, netns, time_ns)
    rows["kind"] = Kind.SNAPSHOT
    rows["socket_id"] = rows["connection_id"] = 0
    return rows


def snapshot_rows(sockets: Sockets, protocol: int, netns: int, time_ns: int) -> Rows:
    """Rows of open sockets, without the process that owns them.

    Two connections of one socket, one after the other, have the same `connection_id`, so that of
    a TCP connection is no exact identity; nor is it told which MPTCP socket a subflow is of.
    """
    rows, diag = _new_rows(sockets, protocol, netns, time_ns), sockets["diag"]
    rows["kind"] = Kind.SNAPSHOT
    rows["socket_inode"], rows["uid"] = diag["inode"], diag["uid"]
    rows["cgroup_id"] = sockets["cgroup_id"]
    rows["known"] |= int(Group.IDENTITY)
    if protocol != Protocol.TCP:
        rows["exact"] |= int(Group.IDENTITY)
        return rows
    listens = rows["state"] == State.LISTEN
    rows["queue_length"] = np.where(listens, diag["receive_queue"], 0)
    rows["queue_limit"] = np.where(listens, diag["send_queue"], 0)
    _add(rows["known"], Group.QUALITY, listens)
    _add(rows["exact"], Group.QUALITY | Group.IDENTITY, listens)
    fin_out = _is_in(rows["state"], OUR_FIN_QUEUED)
    fin_acked = _is_in(rows["state"], OUR_FIN_ACKED)
    _fill_counters(rows, sockets, ~listens)
    _fill_sent(rows, sockets, fin_out)
    _fill_received(rows, sockets, _is_in(rows["state"], THEIR_FIN_IN))
    _fill_role(rows, _syn_and_fin(sockets) - (fin_acked | (fin_out & ~_has_unsent(sockets))))
    rows["role"][listens] = Role.SERVER
    rows["role"][rows["state"] == State.SYN_SENT] = Role.CLIENT
    _clear(rows, rows["role"] == Role.UNKNOWN, Group.ENDS)
    for name in ("bytes_sent", "bytes_received", "unread_bytes", "unacked_bytes"):
        rows[name][listens] = 0
    return rows


def was_wiped(sockets: Sockets) -> Mask:
    """Which of the destroyed sockets were disconnected before: without peer and counters.

    tcp_disconnect() does that after a reset by linger 0, a refused connect, to a child that nobody
    accepted. Listeners and sockets that were never connected look the same; `was_connection` tells.
    """
    found: Mask = sockets["diag"]["peer_port"] == 0
    return found


def was_connection(sockets: Sockets) -> Mask:
    """Which of the destroyed sockets were connections, also of those that were wiped."""
    info = sockets["info"]
    handshake = (info["delivered"] > 0) | (info["bytes_acked"] > 0)
    handshake |= sockets["info_bytes"] < HAS_DELIVERED
    had_window = sockets["diag"]["send_queue"] > REFUSED_QUEUE
    found: Mask = np.where(was_wiped(sockets), had_window, handshake)
    return found


def closed_rows(sockets: Sockets, netns: int, time_ns: int, known: Known) -> Rows:
    """Rows of destroyed connections that were not wiped.

    The state is CLOSE by now, so that nobody says if the peer's FIN is one of the bytes that were
    received. Where it follows from something else the traffic is exact; else it is taken to be in
    if ours is acknowledged, and one byte may be wrong. Nor does the message tell an MPTCP subflow
    from other connections; a look does.

    Args:
        sockets: of news, each a connection.
        netns: where they come from.
        time_ns: when they were read.
        known: of them.
    """
    remembered, is_remembered = known.rows, known.where
    rows, diag, info = _new_rows(sockets, Protocol.TCP, netns, time_ns), *_parts(sockets)
    rows["kind"], rows["state"], rows["closed_ns"] = Kind.CLOSED, State.CLOSE, time_ns
    rows["known"] |= int(Group.IDENTITY | Group.LIFE)
    _fill_counters(rows, sockets, np.ones(len(rows), bool))
    _take_owners(rows, remembered, is_remembered)
    same = is_remembered & _have_same_ends(rows, remembered)
    syn_and_fin = _syn_and_fin(sockets)
    _fill_role(rows, np.select([syn_and_fin == 2, syn_and_fin == 0], [1, 0], -1))
    rows["role"] = np.where(same & (remembered["role"] > 0), remembered["role"], rows["role"])
    fin_role = rows["role"].copy()
    _clear(rows, rows["role"] == Role.UNKNOWN, Group.ENDS)
    rows["role"][(rows["role"] == Role.UNKNOWN) & known.to_listener] = Role.SERVER

    quiet = (diag["send_queue"] == 0) & ~_has_unsent(sockets)
    # Without a role one sequence number more than payload is the SYN of a client or the FIN of a
    # server; connections that end in order are more than those that do not.
    fin_acked = quiet & (syn_and_fin > (rows["role"] == Role.CLIENT))
    fin_proven = fin_acked & ((syn_and_fin == 2) | (fin_role == Role.SERVER))
    had_fin = same & _is_in(remembered["state"], THEIR_FIN_IN)
    nothing_in = info["bytes_received"] == 0
    only_fin_in = (info["bytes_received"] == 1) & (info["data_segments_in"] == 0)
    # A socket with unread payload is reset when it is closed: then no FIN is acknowledged.
    unread_fin = fin_proven & (diag["receive_queue"] == 1)
    certain_in = had_fin | only_fin_in | unread_fin
    _fill_sent(rows, sockets, ~quiet & (syn_and_fin == 2))
    _fill_received(rows, sockets, ~nothing_in & (certain_in | fin_acked))
    was_estimate = same & (remembered["known"] & ~remembered["exact"] & Group.TRAFFIC > 0)
    unsure = ~(certain_in | nothing_in) | _has_unsent(sockets) | was_estimate
    _clear(rows, unsure, Group.TRAFFIC)
    return rows


def _parts(sockets: Sockets) -> tuple[Any, Any]:
    return sockets["diag"], sockets["info"]


def _add(masks: npt.NDArray[np.uint16], groups: Group, where: Mask) -> None:
    masks[where] |= np.uint16(groups)


def _clear(rows: Rows, where: Mask, group: Group) -> None:
    """Says that a group is an estimate in those rows."""
    rows["exact"][where] &= np.uint16(0xFFFF & ~group)


def _have_same_ends(rows: Rows, others: Rows) -> Mask:
    same: Mask = rows["peer_port"] == others["peer_port"]
    same &= rows["local_port"] == others["local_port"]
    same &= (rows["peer_address"] == others["peer_address"]).all(axis=1)
    return same


def _take_owners(rows: Rows, remembered: Rows, where: Mask) -> None:
    """A socket that is gone has no file and no user any more."""
    names = ("socket_inode", "uid", "cgroup_id", "pid", "process_start_ns", "comm")
    for name in (*names, "owner_evidence"):
        rows[name][where] = remembered[name][where]
    rows["known"] |= np.where(where, remembered["known"] & Group.OWNER, 0).astype(np.uint16)


def _has_unsent(sockets: Sockets) -> Mask:
    found: Mask = sockets["info"]["not_sent"] > 0
    return found


def _syn_and_fin(sockets: Sockets) -> npt.NDArray[np.int64]:
    """How many of the sequence numbers sent so far are no payload: a client's SYN, our FIN."""
    diag, info = _parts(sockets)
    in_flight = diag["send_queue"].astype(np.int64) - info["not_sent"]
    payload = info["bytes_sent"].astype(np.int64) - info["bytes_retrans"].astype(np.int64)
    found: npt.NDArray[np.int64] = info["bytes_acked"].astype(np.int64) + in_flight - payload
    return found


def _fill_role(rows: Rows, syn: npt.NDArray[np.int64]) -> None:
    """The client's SYN is a byte that was acknowledged; the server's is not counted."""
    rows["role"] = np.select([syn == 1, syn == 0], [Role.CLIENT, Role.SERVER], Role.UNKNOWN)


def _fill_counters(rows: Rows, sockets: Sockets, where: Mask) -> None:
    """Segments and round trip times, and what is known and exact of them."""
    info = sockets["info"]
    rows["segments_sent"], rows["segments_received"] = info["segments_out"], info["segments_in"]
    rows["retransmits"] = info["total_retrans"]
    sampled = info["rtt_us"] > 0  # without a sample the deviation is what it starts with
    rows["rtt_us"], rows["rtt_var_us"] = info["rtt_us"], np.where(sampled, info["rtt_var_us"], 0)
    rows["min_rtt_us"] = np.where(info["min_rtt_us"] == NO_SAMPLE, 0, info["min_rtt_us"])
    has_info = where & (sockets["info_bytes"] > 0)
    has_bytes = where & (sockets["info_bytes"] >= INFO_HAS_BYTES_SENT)
    _add(rows["known"], Group.QUALITY, has_info)
    _add(rows["known"], Group.TRAFFIC, has_bytes)
    # MPTCP sends over one subflow again what another one, or the same, had sent before.
    exact = has_bytes & ~sockets["is_mptcp"]
    _add(rows["exact"], Group.TRAFFIC, exact)


def _fill_sent(rows: Rows, sockets: Sockets, fin_queued: Mask) -> None:
    """Payload that the application's calls accepted; a FIN that was not sent is in `not_sent`."""
    diag, info = _parts(sockets)
    sent = info["bytes_sent"] - info["bytes_retrans"] + info["not_sent"]
    rows["bytes_sent"] = _positive(sent.astype(np.int64) - (fin_queued & _has_unsent(sockets)))
    syn = rows["state"] == State.SYN_SENT
    unacked = diag["send_queue"].astype(np.int64) - (fin_queued | syn)
    rows["unacked_bytes"] = _positive(unacked)


def _fill_received(rows: Rows, sockets: Sockets, fin_in: Mask) -> None:
    """In-order payload; a FIN that was read as the end of file is in no queue."""
    diag, info = _parts(sockets)
    rows["bytes_received"] = _positive(info["bytes_received"].astype(np.int64) - fin_in)
    rows["unread_bytes"] = _positive(diag["receive_queue"].astype(np.int64) - fin_in)
