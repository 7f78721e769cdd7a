"""Rows as a look at a busy server gives them: what is random in reality is random here.

Six of ten connections come from clients of the internet, of which some come often; three go to
backends; one in ten is one end of a connection over loopback. Ages, bytes and round trip times are
log-normal, segments follow from bytes, and a thirtieth has lost something.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.row.columns import ROW, Rows
from connscope.row.words import Group, Kind, OwnerEvidence, Protocol, Role, State, Tier

__all__ = ("LOOK_NS", "busy_server", "later")

LOOK_NS = 40 * 86_400 * 10**9
"""When the look is taken: the machine is up for forty days."""

PROCESSES, CLIENTS, BACKENDS = 150, 3000, 40
BACKEND_PORTS = (5432, 6379, 8080, 9092)
SEGMENT_BYTES = 1448

Random = np.random.Generator
Column = npt.NDArray[Any]


def busy_server(count: int, seed: int = 4040) -> Rows:
    """`count` open connections of tier btf, sockets in no order of note."""
    random = np.random.default_rng(seed)
    rows = np.zeros(count, ROW)
    rows["known"] = rows["exact"] = sum(Group)
    rows["kind"], rows["tier"] = Kind.SNAPSHOT.value, Tier.BTF.value
    rows["protocol"], rows["family"] = Protocol.TCP.value, 4
    rows["state"] = np.where(random.random(count) < 0.95, State.ESTABLISHED, State.CLOSE_WAIT)
    _name(rows, random)
    place = random.choice(3, count, p=(0.6, 0.3, 0.1))
    _own(rows, random, place)
    peers = _connect(rows, random, place)
    _count(rows, random, place, peers)
    rows["time_ns"] = LOOK_NS + np.sort(random.integers(0, 5_000_000, count))
    return random.permutation(rows)


def later(rows: Rows, share: float, seed: int = 4041) -> Rows:
    """The same three seconds later: a share of the connections has said something."""
    random = np.random.default_rng(seed)
    rows = rows.copy()
    rows["time_ns"] += np.uint64(3 * 10**9)
    busy = random.random(len(rows)) < share
    sent = np.where(busy, random.lognormal(8, 2, len(rows)).astype(np.uint64) + 1, 0)
    rows["bytes_sent"] += sent.astype(np.uint64)
    rows["segments_sent"] += (sent // SEGMENT_BYTES + busy).astype(np.uint32)
    rows["rtt_us"] += (busy * random.integers(0, 200, len(rows))).astype(np.uint32)
    return rows


def _name(rows: Rows, random: Random) -> None:
    """Ids, ages and sequence numbers: cookies and inodes grow with time, others took most."""
    count = len(rows)
    ages_ns = np.sort(random.lognormal(5, 2, count) * 1e9)[::-1]
    rows["opened_ns"] = LOOK_NS - ages_ns.astype(np.uint64)
    rows["isn_local"], rows["isn_peer"] = random.integers(0, 1 << 32, (2, count))
    rows["socket_id"] = 5_000_000 + np.cumsum(random.geometric(0.05, count))
    rows["socket_inode"] = 90_000_000 + np.cumsum(random.geometric(0.01, count))
    tag = (rows["isn_local"] ^ (rows["isn_local"] >> 16)) & 0xFFFF
    rows["connection_id"] = rows["socket_id"] | (tag.astype(np.uint64) << 48)


def _own(rows: Rows, random: Random, place: Column) -> None:
    process = (random.zipf(1.3, len(rows)) + place * 7) % PROCESSES
    starts = np.sort(random.integers(0, LOOK_NS, PROCESSES))
    comms = [f"{'worker' if number % 2 else 'nginx'}-{number}" for number in range(PROCESSES)]
    rows["pid"], rows["process_start_ns"] = process * 37 + 900, starts[process]
    rows["comm"] = np.array(comms, "S16")[process].view("V16")
    rows["uid"], rows["cgroup_id"] = 1000 + process % 7, 4000 + process % 30
    rows["netns"] = 4026531840
    rows["role"] = np.where(place == 1, Role.CLIENT, Role.SERVER)
    rows["owner_evidence"] = np.where(place == 1, OwnerEvidence.CONNECT, OwnerEvidence.ACCEPT)


def _connect(rows: Rows, random: Random, place: Column) -> Column:
    """Ends; gives the number of each row's peer."""
    count = len(rows)
    for name in ("local_address", "peer_address"):
        rows[name][:, 10:12] = 0xFF
    client = np.minimum(random.zipf(1.2, count), CLIENTS) - 1
    backend = random.integers(0, BACKENDS, count)
    clients = random.integers(1, 255, (CLIENTS, 4))
    backends = np.array([(10, 20, 0, number + 10) for number in range(BACKENDS)])
    ends = np.where(place[:, None] == 0, clients[client], backends[backend])
    rows["peer_address"][:, 12:] = np.where(place[:, None] == 2, (127, 0, 0, 1), ends)
    rows["local_address"][:, 12:] = np.where(place[:, None] == 2, (127, 0, 0, 1), (10, 20, 1, 5))
    ephemeral = random.integers(32768, 60999, count)
    service = np.array(BACKEND_PORTS)[backend % len(BACKEND_PORTS)]
    rows["local_port"] = np.select((place == 0, place == 1), (443, ephemeral), 8080)
    rows["peer_port"] = np.choose(place, (ephemeral, service, ephemeral))
    return np.select((place == 0, place == 1), (client, CLIENTS + backend), CLIENTS + BACKENDS)


def _count(rows: Rows, random: Random, place: Column, peers: Column) -> None:
    count = len(rows)
    for direction in ("sent", "received"):
        payload = random.lognormal(9.5, 2, count).astype(np.uint64)
        rows[f"bytes_{direction}"] = payload
        rows[f"segments_{direction}"] = payload // SEGMENT_BYTES + random.geometric(0.2, count)
    trouble = random.random(count) < 1 / 30
    rows["retransmits"] = trouble * random.geometric(0.3, count)
    rows["unacked_bytes"] = trouble * random.integers(0, 65536, count)
    shortest = (
        np.choose(place, (9.8, 5.5, 3.2)) + random.normal(0, 0.4, CLIENTS + BACKENDS + 1)[peers]
    )
    rows["min_rtt_us"] = np.exp(shortest).astype(np.uint32) + 1
    rows["rtt_us"] = rows["min_rtt_us"] * random.lognormal(0.2, 0.2, count)
    rows["rtt_us"] = np.maximum(rows["rtt_us"], rows["min_rtt_us"])
    rows["rtt_var_us"] = rows["rtt_us"] * random.beta(2, 6, count)
    rows["connect_us"] = (place == 1) * rows["min_rtt_us"] * random.lognormal(0.1, 0.1, count)
