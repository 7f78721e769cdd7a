"""Which rows have the broadcast address of a network, and how often that is found out."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import numpy as np
import pytest

from connscope.capture.broadcasts import NAMESPACES_MAX, SHARE, Broadcasts
from connscope.row.cast import is_broadcast
from connscope.row.columns import ROW, Rows
from connscope.row.words import Protocol

NETWORK, OTHER = "10.1.2.255", "10.1.3.255"


def flows(*ends: tuple[int, str, str], protocol: int = Protocol.UDP) -> Rows:
    """A row for each namespace, local and peer address; of pid 1."""
    rows = np.zeros(len(ends), ROW)
    rows["protocol"], rows["family"], rows["pid"] = protocol, 4, 1
    for row, (netns, local, peer) in zip(rows, ends, strict=True):
        row["netns"] = netns
        for column, address in (("local_address", local), ("peer_address", peer)):
            octets = bytes(10) + b"\xff\xff" + IPv4Address(address).packed
            row[column] = np.frombuffer(octets, np.uint8)
    return rows


def flow(netns: int, peer: str) -> Rows:
    return flows((netns, "10.1.2.1", peer))


class Kernel:
    """Namespaces with broadcast addresses; those of `closed` can not be read."""

    def __init__(self, **networks: str) -> None:
        self.networks = {int(name[1:]): address for name, address in networks.items()}
        self.closed = set[int]()
        self.reads = list[int]()
        self.now_s, self.read_s = 100.0, 0.0
        self.broadcasts = Broadcasts(Path("/nowhere"), lambda: self.now_s, self.read)

    def read(self, inode: int, path: Path):
        assert path == Path("/nowhere/1/ns/net")
        self.reads.append(inode)
        self.now_s += self.read_s
        if inode in self.closed:
            return None
        return np.array([int(IPv4Address(self.networks[inode]))], np.uint32)

    def names(self, rows: Rows) -> list[bool]:
        self.broadcasts.mark(rows)
        named: list[bool] = is_broadcast(rows).tolist()
        return named


@pytest.fixture
def kernel() -> Kernel:
    """Two namespaces with a network each."""
    return Kernel(n7=NETWORK, n8=OTHER)


def test_either_end(kernel: Kernel):
    """Who sends to everybody, and who is bound to that address."""
    rows = flows((7, "10.1.2.1", NETWORK), (7, NETWORK, "10.1.2.1"), (7, "10.1.2.1", "10.1.2.254"))
    assert kernel.names(rows) == [True, True, False]


def test_each_namespace_has_its_own(kernel: Kernel):
    """The broadcast address of one is a machine in another."""
    rows = np.concatenate([flow(netns, peer) for netns in (7, 8) for peer in (NETWORK, OTHER)])
    assert kernel.names(rows) == [True, False, False, True]


@pytest.mark.parametrize(
    ("column", "value"), [("protocol", Protocol.TCP), ("family", 6), ("netns", 0)]
)
def test_rows_of_nobodys_interest(kernel: Kernel, column: str, value: int):
    """They are left alone, and nothing is read for them."""
    rows = flow(7, NETWORK)
    rows[column], rows["left_state"] = value, 1
    kernel.broadcasts.mark(rows)
    assert (rows["left_state"].tolist(), kernel.reads) == ([1], [])


def test_a_mark_goes_with_the_address(kernel: Kernel):
    """A row that is shown again says what holds now."""
    rows = flow(7, NETWORK)
    assert kernel.names(rows) == [True]
    kernel.networks[7] = OTHER
    kernel.now_s += 1
    assert kernel.names(rows) == [False]


def test_new_namespace_is_read_at_once(kernel: Kernel):
    """Whenever something was read last."""
    kernel.names(flow(7, NETWORK))
    assert kernel.names(flow(8, OTHER)) == [True]
    assert kernel.reads == [7, 8]


def test_reading_takes_a_hundredth_of_the_time(kernel: Kernel):
    """Of long readings too: the rest is as much longer."""
    kernel.read_s = 0.5
    for _ in range(1000):
        kernel.names(flow(7, NETWORK))
        kernel.now_s += 1
    assert len(kernel.reads) == pytest.approx(1000 / (SHARE * kernel.read_s), abs=2)


def test_namespace_that_has_ended_keeps_what_was_known(kernel: Kernel):
    """Its last rows come when it is gone."""
    assert kernel.names(flow(7, NETWORK)) == [True]
    kernel.closed.add(7)
    kernel.now_s += 1
    assert kernel.names(flow(7, NETWORK)) == [True]
    assert kernel.reads == [7, 7]


@pytest.fixture
def elsewhere(kernel: Kernel, tmp_path: Path) -> int:
    """A namespace that has a process, but not the one of the row; its inode."""
    place = tmp_path / "55/ns/net"
    place.parent.mkdir(parents=True)
    place.touch()
    (place.parent / "mnt").touch()
    (tmp_path / "55/mountinfo").touch()
    inode = place.stat().st_ino

    def read(asked: int, path: Path):
        kernel.reads.append(asked)
        if path != place:
            return None
        kernel.now_s += kernel.read_s
        return np.array([int(IPv4Address(NETWORK))], np.uint32)

    kernel.broadcasts = Broadcasts(tmp_path, lambda: kernel.now_s, read)
    return inode


def test_namespace_is_found_by_any_process(kernel: Kernel, elsewhere: int):
    """That of the row may have ended, or have gone to another namespace."""
    assert kernel.names(flow(elsewhere, NETWORK)) == [True]
    assert kernel.reads == [elsewhere, elsewhere]


def test_searches_take_a_hundredth_of_the_time(kernel: Kernel, elsewhere: int):
    """Also if a new namespace asks for one each time."""
    kernel.read_s = 0.5
    searches = 0
    for inode in range(1, 1001):
        before = kernel.now_s
        kernel.names(flows((elsewhere + inode, "10.1.2.1", NETWORK), (elsewhere, NETWORK, NETWORK)))
        searches += kernel.now_s > before
        kernel.now_s += 1
    assert searches == pytest.approx(1000 / (SHARE * kernel.read_s), abs=2)


def test_namespaces_are_forgotten(kernel: Kernel):
    """Those that nothing came from for longest, once there are too many."""
    kernel.networks = dict.fromkeys(range(1, NAMESPACES_MAX + 3), NETWORK)
    kernel.names(flow(1, NETWORK))
    for first in (2, 3):
        several = range(first, first + NAMESPACES_MAX)
        assert all(kernel.names(flows(*((n, "10.0.0.1", NETWORK) for n in several))))
    kernel.reads.clear()
    assert kernel.names(flow(2, NETWORK)) == [True]
    assert kernel.reads == [2]


def test_nothing(kernel: Kernel):
    """An empty batch."""
    assert kernel.names(np.empty(0, ROW)) == []
