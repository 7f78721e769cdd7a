"""Which ports the kernel gives to clients, in namespaces that the tests make."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connscope.kernel.host.port_range import DEFAULT_PORT_RANGE, PortRange, read_port_range
from connscope.tracker.roles import read_port_ranges
from tests.kernel.descriptors import fds_left
from tests.kernel.namespace import Namespace

RANGE = PortRange(20000, 20009)


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """With a range of its own."""
    with Namespace() as made:
        made.set("ipv4/ip_local_port_range", f"{RANGE.first} {RANGE.last}")
        yield made


def path(namespace: Namespace) -> Path:
    """The file to enter it by."""
    return Path(f"/proc/self/fd/{namespace.fd}")


def test_range_is_that_of_the_namespace(namespace: Namespace):
    """The range of another namespace is read from inside of it."""
    assert read_port_range(path(namespace)) == RANGE


def test_range_of_our_own_namespace_stays_our_own(namespace: Namespace):
    """Before and after another one was read; the thread is back."""
    before = read_port_range()
    read_port_range(path(namespace))
    assert read_port_range() == before != RANGE


def test_new_namespace_has_the_default():
    """Nobody has set it."""
    with Namespace() as fresh:
        assert read_port_range(path(fresh)) == DEFAULT_PORT_RANGE


def test_clients_get_ports_of_the_range(namespace: Namespace):
    """What is read is what the kernel goes by."""
    first, last = read_port_range(path(namespace))
    with namespace.listener("127.0.0.1") as server, namespace.tcp() as client:
        client.connect(server.getsockname())
        assert first <= client.getsockname()[1] <= last


@pytest.mark.parametrize("count", [0, 1])
def test_who_has_no_descriptors_left_takes_the_default(namespace: Namespace, count: int):
    """And stays in the own namespace; what is read afterwards is right again."""
    own = read_port_range()
    with fds_left(count):
        assert read_port_range(path(namespace)) == DEFAULT_PORT_RANGE
        assert read_port_ranges() == {}
    assert read_port_range() == own
    assert read_port_range(path(namespace)) == RANGE
