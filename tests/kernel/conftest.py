"""Fixtures of the tests that need root and a real kernel."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from connscope.capture.btf.tier import BtfTier
from connscope.config import Config
from tests.kernel.recorder import Recorder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is a kernel test."""
    for item in items:
        if "tests/kernel" in str(item.path):
            item.add_marker(pytest.mark.kernel)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """A tier with default settings, open."""
    with BtfTier(Config()) as tier:
        yield Recorder(tier)


@pytest.fixture
def exact_recorder() -> Iterator[Recorder]:
    """A tier that names the accepting task."""
    with BtfTier(Config(accept_owner="exact")) as tier:
        yield Recorder(tier)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A listening socket on loopback; made before the tier if it is the test's first argument."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server
