"""A fleet of hosts that report, made up: each host talks to the next ones, both ends are seen."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from connscope.report.delta import FULL_EVERY
from connscope.report.report import Look, Report, make_report
from connscope.row.columns import ROW, Rows
from connscope.row.words import Group, Kind, Protocol, Role, State, Tier

__all__ = ("Fleet",)

Places = npt.NDArray[np.intp]

PROCESSES = 50
PORTS = np.array([443, 5432, 6379, 8080, 9090], np.uint16)
BEGIN_NS = 10**13
WALL_NS = 10**18
SECOND_NS = 10**9
MAPPED = 0xFF


class Fleet:
    """Hosts with open connections.

    Args:
        hosts: how many.
        connections: of each host, both ends counted; even.
        share: of the connections of a host, how many move bytes in a second.
        replaced: of those, how many close, and another one opens.
    """

    def __init__(
        self, hosts: int, connections: int, share: float = 0.01, replaced: float = 0.1
    ) -> None:
        self.hosts = hosts
        self._random = np.random.default_rng(4040)
        self._moving = max(2, int(connections * share))
        self._replaced = int(self._moving * replaced) // 2 * 2
        self._sequence = 0
        self._next_id = 1
        self._pairs = connections // 2
        self._rows: list[Rows] = [np.zeros(connections, ROW) for _ in range(hosts)]
        for host in range(hosts):
            self._open(host, np.arange(self._pairs), BEGIN_NS - 3600 * SECOND_NS)

    def full(self) -> Iterator[Report]:
        """A first report of each host, with all that it has open."""
        self._sequence += 1
        for host in range(self.hosts):
            yield make_report(self._look(host), self._sequence, None, self._rows[host])

    def second(self) -> Iterator[Report]:
        """What each host reports after one more second; now and then one in full, as agents do."""
        self._sequence += 1
        ended = self._close()
        touched = [self._move(host) for host in range(self.hosts)]
        for host in range(self.hosts):
            rows = self._rows[host]
            if (self._sequence + host) % FULL_EVERY == 0:
                yield make_report(self._look(host), self._sequence, None, rows, ended[host][0])
                continue
            changed = rows[np.union1d(touched[host], ended[host][1])]
            base = self._sequence - 1
            yield make_report(self._look(host), self._sequence, base, changed, ended[host][0])

    def _look(self, host: int) -> Look:
        return Look(
            host_id=f"host-{host:03d}",
            host_name=f"node{host:03d}",
            boot_id="00000000-0000-4000-8000-000000000000",
            time_ns=BEGIN_NS + self._sequence * SECOND_NS,
            wall_minus_boottime_ns=WALL_NS,
            interval_ns=SECOND_NS,
            session_ns=1,
            tier=Tier.BTF,
        )

    def _close(self) -> list[tuple[Rows, Places]]:
        """Some pairs of each host close and open anew: rows of the old, places of the new."""
        now_ns = BEGIN_NS + self._sequence * SECOND_NS
        closing = [
            self._random.choice(self._pairs, self._replaced // 2, replace=False)
            for _ in range(self.hosts)
        ]
        places = [
            np.concatenate([closing[host], closing[host - 1] + self._pairs])
            for host in range(self.hosts)
        ]
        ended = [self._rows[host][places[host]] for host in range(self.hosts)]
        for rows in ended:
            rows["kind"], rows["state"], rows["closed_ns"] = Kind.CLOSED, State.CLOSE, now_ns
        for host in range(self.hosts):
            self._open(host, closing[host], now_ns)
        return list(zip(ended, places, strict=True))

    def _open(self, host: int, pairs: Places, at_ns: int) -> None:
        """Connections from a host to the next one; the client's end here, the server's there."""
        count, random = len(pairs), self._random
        client, server = np.zeros(count, ROW), np.zeros(count, ROW)
        there = (host + 1) % self.hosts
        ids = np.arange(self._next_id, self._next_id + count, dtype=np.uint64)
        self._next_id += count
        isns = random.integers(1, 1 << 32, (2, count), np.uint32)
        ports = random.choice(PORTS, count)
        for rows, mine, other, offset in ((client, host, there, 0), (server, there, host, 1)):
            rows["connection_id"] = rows["socket_id"] = ids * np.uint64(2) + np.uint64(offset)
            rows["known"] = rows["exact"] = sum(Group)
            rows["kind"], rows["state"] = Kind.SNAPSHOT, State.ESTABLISHED
            rows["protocol"], rows["family"], rows["tier"] = Protocol.TCP, 4, Tier.BTF
            rows["netns"], rows["opened_ns"], rows["uid"] = 4026531840, at_ns, 1000
            process = random.integers(0, PROCESSES, count)
            rows["pid"], rows["process_start_ns"] = process + 1000, 10**9 + process
            rows["comm"] = np.array([f"worker-{n}" for n in range(PROCESSES)], "S16")[process].view(
                "V16"
            )
            rows["rtt_us"] = random.integers(100, 40_000, count)
            for name, where in (("local_address", mine), ("peer_address", other)):
                rows[name][:, 10:12] = MAPPED
                rows[name][:, 12:] = (10, 0, where >> 8, where & 255)
        client["role"], server["role"] = Role.CLIENT, Role.SERVER
        client["local_port"] = 32768 + (ids % np.uint64(28000)).astype(np.uint16)
        client["peer_port"] = server["local_port"] = ports
        server["peer_port"] = client["local_port"]
        client["isn_local"], client["isn_peer"] = isns
        server["isn_peer"], server["isn_local"] = isns
        self._rows[host][pairs] = client
        self._rows[there][pairs + self._pairs] = server

    def _move(self, host: int) -> Places:
        rows = self._rows[host]
        places = self._random.choice(len(rows), self._moving, replace=False)
        for name in ("bytes_sent", "bytes_received"):
            rows[name][places] += self._random.integers(1, 1 << 20, len(places), np.uint64)
        rows["segments_sent"][places] += 10
        return np.sort(places)
