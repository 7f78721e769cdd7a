"""What open connections come to: for each process, peer and listening port, and in total."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from connscope.cli.list_columns import exposures
from connscope.row.address import address_text
from connscope.row.columns import Rows
from connscope.row.outside_text import printable
from connscope.row.words import Group, State

__all__ = (
    "ListeningPortSum",
    "PeerSum",
    "ProcessSum",
    "Summary",
    "Sums",
    "TotalSum",
    "summarize",
)

EXPOSED_MOST_FIRST = ("all", "public", "private", "loopback")


class Sums(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="by"):
    """Counts of connections and bytes.

    Attributes:
        connections: sockets that do not listen, in any state.
        bytes_sent, bytes_received: of those whose traffic is known.
    """

    connections: int
    bytes_sent: int
    bytes_received: int


AnySums = TypeVar("AnySums", bound=Sums)


class ProcessSum(Sums, frozen=True, kw_only=True, tag="process"):
    """The sockets of a process; without a pid those that have none."""

    pid: int = 0
    comm: str = ""
    listeners: int


class PeerSum(Sums, frozen=True, kw_only=True, tag="peer"):
    """The connections with an address."""

    peer_address: str
    processes: int


class ListeningPortSum(Sums, frozen=True, kw_only=True, tag="listening_port"):
    """A port of a network namespace and the connections to it.

    Attributes:
        exposure: of the listener that can be reached from most.
        listeners: how many sockets share the port.
        queue_length, queue_limit: of all of them.
    """

    local_port: int
    netns: int
    pid: int = 0
    comm: str = ""
    exposure: str
    listeners: int
    queue_length: int
    queue_limit: int


class TotalSum(Sums, frozen=True, kw_only=True, tag="total"):
    """All of it."""

    established: int
    listeners: int
    processes: int
    peers: int
    retransmits: int


class Summary(msgspec.Struct, frozen=True):
    """All sums, those with the most bytes first."""

    processes: list[ProcessSum]
    peers: list[PeerSum]
    ports: list[ListeningPortSum]
    total: TotalSum


def summarize(rows: Rows) -> Summary:
    """The sums of the rows of one look."""
    listens = rows["state"] == State.LISTEN
    connections, listeners = rows[~listens], rows[listens]
    processes, peers = _processes(rows), _peers(connections)
    total = TotalSum(
        **_Groups(np.zeros(len(connections)).tolist(), connections).sums(0),
        established=int((connections["state"] == State.ESTABLISHED).sum()),
        listeners=len(listeners),
        processes=sum(each.pid != 0 for each in processes),
        peers=len(peers),
        retransmits=int(connections["retransmits"].sum()),
    )
    ports = _listening_ports(connections, listeners)
    return Summary(_sorted(processes), _sorted(peers), _sorted(ports), total)


Key = TypeVar("Key", bound=Hashable)


class _Groups(Generic[Key]):
    """Rows by keys."""

    def __init__(self, keys: Iterable[Key], rows: Rows) -> None:
        listed = list(keys)
        self.places = {key: place for place, key in enumerate(dict.fromkeys(listed))}
        self.of_rows = np.fromiter(map(self.places.__getitem__, listed), np.intp, len(listed))
        self._connections = self.count(rows["state"] != State.LISTEN)
        traffic = rows["known"] & Group.TRAFFIC != 0
        self._sent = self.add(np.where(traffic, rows["bytes_sent"], 0))
        self._received = self.add(np.where(traffic, rows["bytes_received"], 0))

    def count(self, mask: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
        """On how many rows of each key the mask holds."""
        return np.bincount(self.of_rows[mask], minlength=len(self.places))

    def add(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The sum of the values of each key."""
        sums = np.zeros(len(self.places), np.uint64)
        np.add.at(sums, self.of_rows, values.astype(np.uint64))
        return sums

    def sums(self, place: int) -> dict[str, int]:
        """What every sum has."""
        if place >= len(self.places):
            return {"connections": 0, "bytes_sent": 0, "bytes_received": 0}
        return {
            "connections": int(self._connections[place]),
            "bytes_sent": int(self._sent[place]),
            "bytes_received": int(self._received[place]),
        }


def _processes(rows: Rows) -> list[ProcessSum]:
    columns = ("pid", "process_start_ns", "comm")
    groups = _Groups(zip(*(rows[name].tolist() for name in columns), strict=True), rows)
    listeners = groups.count(rows["state"] == State.LISTEN).tolist()
    return [
        ProcessSum(**groups.sums(place), pid=pid, comm=printable(comm), listeners=listeners[place])
        for (pid, _, comm), place in groups.places.items()
    ]


def _addresses(rows: Rows, name: str) -> list[bytes]:
    packed: list[bytes] = rows[name].copy().view("V16")[:, 0].tolist()
    return packed


def _peers(connections: Rows) -> list[PeerSum]:
    known = connections[connections["known"] & Group.ENDS != 0]
    groups = _Groups(_addresses(known, "peer_address"), known)
    pairs = set(zip(groups.of_rows.tolist(), known["pid"].tolist(), strict=True))
    processes = np.bincount([place for place, pid in pairs if pid], minlength=len(groups.places))
    return [
        PeerSum(
            **groups.sums(place),
            peer_address=address_text(address),
            processes=int(processes[place]),
        )
        for address, place in groups.places.items()
    ]


def _port_keys(rows: Rows) -> list[tuple[int, int]]:
    return list(zip(rows["netns"].tolist(), rows["local_port"].tolist(), strict=True))


def _listening_ports(connections: Rows, listeners: Rows) -> list[ListeningPortSum]:
    """A connection belongs to the listening port that its local end has."""
    sums = _Groups(_port_keys(connections), connections)
    groups = _Groups(_port_keys(listeners), listeners)
    reach = np.array([EXPOSED_MOST_FIRST.index(word) for word in exposures(listeners)], np.intp)
    lengths, limits = groups.add(listeners["queue_length"]), groups.add(listeners["queue_limit"])
    found = []
    for key, place in groups.places.items():
        mine = groups.of_rows == place
        first = listeners[mine][0]
        found.append(
            ListeningPortSum(
                **sums.sums(sums.places.get(key, len(sums.places))),
                local_port=key[1],
                netns=key[0],
                pid=int(first["pid"]),
                comm=printable(first["comm"].tobytes()),
                exposure=EXPOSED_MOST_FIRST[reach[mine].min()],
                listeners=int(mine.sum()),
                queue_length=int(lengths[place]),
                queue_limit=int(limits[place]),
            )
        )
    return found


def _sorted(sums: list[AnySums]) -> list[AnySums]:
    return sorted(
        sums, key=lambda each: (-each.bytes_sent - each.bytes_received, -each.connections)
    )
