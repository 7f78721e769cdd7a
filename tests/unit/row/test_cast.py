"""Groups and everybody, told from their addresses."""

from __future__ import annotations

from ipaddress import ip_address

import numpy as np
import pytest

from connscope.row.cast import (
    cast_texts,
    is_broadcast,
    is_cast,
    is_multicast,
    mark_broadcasts,
)
from connscope.row.columns import ROW
from connscope.row.words import Group, Protocol

ENDS = ("224.0.0.1", "255.255.255.255", "10.0.0.1", "10.0.0.255")


def flow(peer: str, column: str = "peer_address", protocol: int = Protocol.UDP):
    rows = np.zeros(1, ROW)
    address = ip_address(peer)
    octets = address.packed if address.version == 6 else bytes(10) + b"\xff\xff" + address.packed
    rows["protocol"] = protocol
    rows[column] = np.frombuffer(octets, rows[column].dtype).reshape(rows[column].shape)
    return rows


@pytest.mark.parametrize("address", ["224.0.0.1", "239.255.255.250", "ff02::fb"])
@pytest.mark.parametrize("column", ["peer_address", "local_address"])
def test_multicast(address: str, column: str):
    """A group at either end."""
    rows = flow(address, column)
    assert (is_multicast(rows).tolist(), is_broadcast(rows).tolist()) == ([True], [False])


def test_broadcast():
    """Everybody on the network."""
    rows = flow("255.255.255.255")
    assert (is_multicast(rows).tolist(), is_broadcast(rows).tolist()) == ([False], [True])


def test_broadcast_of_a_network():
    """Only whoever knows the network can tell; a mark that does not hold any more goes."""
    rows = np.concatenate([flow("10.0.0.255") for _ in range(3)])
    mark_broadcasts(rows, np.array([0, 2]), np.array([True, True]))
    assert is_broadcast(rows).tolist() == [True, False, True]
    mark_broadcasts(rows, np.array([0]), np.array([False]))
    assert is_broadcast(rows).tolist() == [False, False, True]


@pytest.mark.parametrize("state", range(16))
def test_states_are_no_mark(state: int):
    """TCP has its states in the same column."""
    rows = flow("10.0.0.255")
    rows["left_state"] = state
    assert not is_broadcast(rows).any()


def test_tcp_is_not_marked():
    """Whatever a report says."""
    rows = flow("10.0.0.255", protocol=Protocol.TCP)
    mark_broadcasts(rows, np.array([0]), np.array([True]))
    assert not is_broadcast(rows).any()


@pytest.mark.parametrize("address", ["10.0.0.255", "223.255.255.255", "240.0.0.1", "fe80::1"])
def test_single_machines(address: str):
    """Neither."""
    assert not is_multicast(flow(address)).any()
    assert not is_broadcast(flow(address)).any()


def test_tcp_has_no_groups():
    """Whatever its addresses look like."""
    assert not is_multicast(flow("224.0.0.1", protocol=Protocol.TCP)).any()


def test_words():
    """As they stand in JSON, CSV and Arrow."""
    rows = np.concatenate([flow(each) for each in ENDS])
    rows["known"] = Group.ENDS
    mark_broadcasts(rows, np.array([3]), np.array([True]))
    texts = [text.tobytes().rstrip(b"\0").decode() for text in cast_texts(rows)]
    assert texts == ["multicast", "broadcast", "", "broadcast"]
    assert is_cast(rows).tolist() == [True, True, False, True]


def test_without_ends_there_is_no_word():
    """What is not known has no key."""
    assert not is_cast(flow("224.0.0.1")).any()


def test_no_rows():
    """An empty batch."""
    assert len(is_multicast(np.empty(0, ROW))) == len(is_broadcast(np.empty(0, ROW))) == 0
