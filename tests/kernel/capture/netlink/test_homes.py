"""The namespaces that the netlink tier enters are those that it takes them for."""

from __future__ import annotations

from pathlib import Path

import pytest

from connscope.capture.netlink.homes import Homes
from connscope.errors import FailedError
from connscope.kernel.host import network_namespaces
from connscope.kernel.host.network_namespaces import find_network_namespaces
from tests.kernel.descriptors import fds_left
from tests.kernel.namespace import Namespace

RECEIVE_BYTES = 1 << 16


def test_process_that_has_moved_since_is_no_way_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number was read in one namespace, and it is in another one when that is entered."""
    with Namespace() as left, Homes(RECEIVE_BYTES) as homes:
        known = {home.inode for home in homes}
        found = {**find_network_namespaces(), left.inode: Path("/proc/self/ns/net")}
        monkeypatch.setattr("connscope.capture.homes.find_network_namespaces", lambda: found)
        homes.refresh()

        assert left.inode not in {home.inode for home in homes}
        assert known & found.keys() <= {home.inode for home in homes}


@pytest.mark.parametrize("count", [0, 1])
def test_no_descriptors_to_find_namespaces_with(count: int) -> None:
    """It is an error, and those that are known stay."""
    with Namespace(), Homes(RECEIVE_BYTES) as homes:
        before = list(homes)
        with fds_left(count), pytest.raises(OSError, match="Too many open files"):
            homes.refresh()
        assert list(homes) == before


def test_who_can_not_go_back_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is no namespace that could not be entered: the thread is in it."""
    go_back = network_namespaces._return_to

    def fail(own: int) -> None:
        go_back(own)
        raise FailedError("going back", "Cannot allocate memory")

    monkeypatch.setattr(network_namespaces, "_return_to", fail)
    with Namespace() as other:
        found = {other.inode: Path(f"/proc/self/fd/{other.fd}")}
        monkeypatch.setattr("connscope.capture.homes.find_network_namespaces", lambda: found)
        with pytest.raises(FailedError, match="going back"):
            Homes(RECEIVE_BYTES)
