"""Fixtures of the tests that need root and a real kernel."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from connscope.capture.btf.tier import BtfTier
from connscope.config import Config
from tests.kernel.recorder import Recorder
from tests.kernel.untraced import UntracedSoftirqs

UNTRACED = pytest.StashKey[UntracedSoftirqs]()
TRIES = 3


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Everything in this folder is a kernel test; it may fail by what no kernel program can see."""
    here = [item for item in items if "tests/kernel" in str(item.path)]
    if not here:
        return
    untraced = config.stash[UNTRACED] = UntracedSoftirqs()
    config.add_cleanup(untraced.close)
    again = pytest.mark.flaky(reruns=TRIES - 1, condition=untraced.happened)
    for item in here:
        item.add_marker(pytest.mark.kernel)
        item.add_marker(again)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Each try begins without those of the one before it."""
    if UNTRACED in item.config.stash:
        item.config.stash[UNTRACED].begin()


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
