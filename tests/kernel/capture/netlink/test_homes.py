"""The namespaces that the netlink tier enters are those that it takes them for."""

from __future__ import annotations

from pathlib import Path

import pytest

from connscope.capture.netlink.homes import Homes
from connscope.kernel.host.network_namespaces import find_network_namespaces
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
