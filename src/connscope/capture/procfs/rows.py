"""Makes rows of what the files in /proc say of sockets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from connscope.capture.procfs.ids import connection_ids, tell_subflows_apart
from connscope.kernel.procfs.fd_walk import Held
from connscope.kernel.procfs.net_files import parse_net_file
from connscope.kernel.procfs.processes import NetTexts, Process, ProcessGroup
from connscope.row.columns import NO_UID, ROW, Rows
from connscope.row.words import Group, Kind, OwnerEvidence, Protocol, Role, State, Tier

__all__ = ("NamespaceRows", "fill_owners", "namespace_rows")

FILES = (
    ("tcp", Protocol.TCP, 4),
    ("tcp6", Protocol.TCP, 6),
    ("udp", Protocol.UDP, 4),
    ("udp6", Protocol.UDP, 6),
)
OWNER_COLUMNS = ("pid", "process_start_ns", "comm")
TIMER_TIME_WAIT = 3  # get_timewait4_sock of the kernel; no socket has this timer
ROLES = {State.LISTEN: Role.SERVER, State.SYN_RECV: Role.SERVER, State.SYN_SENT: Role.CLIENT}


class NamespaceRows(NamedTuple):
    """What there is in one network namespace, without owners.

    Attributes:
        sockets: connections in any state, listeners, UDP sockets.
        minisockets: what is no socket yet or no longer: SYN_RECV and TIME_WAIT.
        malformed: how many lines made no sense.
    """

    sockets: Rows
    minisockets: Rows
    malformed: int


def namespace_rows(texts: NetTexts, group: ProcessGroup, time_ns: int) -> NamespaceRows:
    """Rows of the files of a network namespace."""
    sockets, minisockets, malformed = list[Rows](), list[Rows](), 0
    for (_, protocol, family), text in zip(FILES, texts, strict=True):
        file = parse_net_file(text, family)
        malformed += file.malformed
        if not len(file.sockets):
            continue
        rows = _file_rows(file.sockets, protocol)
        rows["time_ns"], rows["netns"] = time_ns, group.inode
        rows["connection_id"] = connection_ids(rows, group.key)
        mini = _are_minisockets(file.sockets, protocol)
        rows["known"][mini] = Group.ENDS
        sockets.append(rows[~mini])
        minisockets.append(rows[mini])
    if not group.inode:
        for rows in (*sockets, *minisockets):
            rows["exact"] = 0  # the namespace is one of the ends' columns
    nothing = np.empty(0, ROW)
    all_sockets = np.concatenate((nothing, *sockets))
    tell_subflows_apart(all_sockets, group.key)
    return NamespaceRows(all_sockets, np.concatenate((nothing, *minisockets)), malformed)


def _file_rows(found: npt.NDArray[Any], protocol: Protocol) -> Rows:
    rows = np.zeros(len(found), ROW)
    for column in ("local_address", "peer_address", "local_port", "peer_port"):
        rows[column] = found[column]
    for column in ("family", "state", "uid"):
        rows[column] = found[column]
    rows["socket_inode"], rows["protocol"] = found["inode"], protocol
    rows["kind"], rows["tier"] = Kind.SNAPSHOT, Tier.PROCFS
    rows["known"], rows["exact"] = Group.IDENTITY | Group.ENDS, Group.ENDS
    # Where there is no file the kernel writes user 0, whoever it was.
    rows["uid"][(found["inode"] == 0) & (found["uid"] == 0)] = NO_UID
    if protocol == Protocol.TCP:
        for state, role in ROLES.items():
            rows["role"][found["state"] == state] = role
        listens = found["state"] == State.LISTEN
        rows["queue_length"][listens] = found["rx_queue"][listens]
        rows["known"][listens] |= np.uint16(Group.QUALITY)
    return rows


def _are_minisockets(found: npt.NDArray[Any], protocol: Protocol) -> npt.NDArray[np.bool_]:
    """Those of the btf tier: a request that was not acknowledged yet, and what waits for the end.

    Other sockets without a file are in a queue of accept, or the program has closed them and the
    kernel has not yet done so.
    """
    if protocol != Protocol.TCP:
        return np.zeros(len(found), np.bool_)
    requested = (found["state"] == State.SYN_RECV) & (found["inode"] == 0)
    waits = (found["timer"] == TIMER_TIME_WAIT) | (found["state"] == State.TIME_WAIT)
    minisockets: npt.NDArray[np.bool_] = requested | waits
    return minisockets


def fill_owners(rows: Rows, holders: Collection[Held], processes: Mapping[int, Process]) -> None:
    """Writes the owners that are known into the rows.

    Args:
        rows: to be changed.
        holders: of the sockets; each has its own.
        processes: by pid; a holder that is not there has ended.
    """
    alive = [held for held in holders if held.pid in processes and held.fds]
    if not len(rows) or not alive:
        return
    who = [processes[held.pid] for held in alive]
    owners = np.zeros(len(alive), [(name, ROW[name]) for name in OWNER_COLUMNS])
    owners["pid"] = [held.pid for held in alive]
    owners["process_start_ns"] = [process.start_ns for process in who]
    owners["comm"] = np.array([process.comm.ljust(16, b"\0") for process in who], "V16")
    inodes = np.array([inode for held in alive for inode in held.fds], np.uint64)
    owner_of = np.repeat(np.arange(len(alive)), [len(held.fds) for held in alive])
    order = np.argsort(inodes)
    at = order[np.searchsorted(inodes, rows["socket_inode"], sorter=order).clip(max=len(order) - 1)]
    known = inodes[at] == rows["socket_inode"]
    for name in OWNER_COLUMNS:
        rows[name][known] = owners[name][owner_of[at[known]]]
    rows["owner_evidence"][known] = OwnerEvidence.FD_TABLE
    rows["known"][known] |= np.uint16(Group.OWNER)
