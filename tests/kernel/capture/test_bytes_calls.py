"""The bytes of closed connections are the application's own, whatever system call moved them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connscope.capture.btf.tier import BtfTier
from connscope.config import Config
from tests.kernel.recorder import Recorder
from tests.kernel.traffic.agreement import assert_bytes_agree
from tests.surroundings import scaled
from tests.traffic.calls import BY_CALL, BY_RING
from tests.traffic.report import make

GIBIBYTE = scaled(1 << 30)


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    """One tier for all tests of this file."""
    with BtfTier(Config()) as tier:
        yield Recorder(tier)


@pytest.mark.parametrize("v6", [0, 1], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("call", BY_CALL)
def test_bytes_by(recorder: Recorder, call: str, v6: int) -> None:
    """3 MB there and 70 kB back are counted to the byte at both ends."""
    assert_bytes_agree(recorder, make(call, v6=v6).connections)


@pytest.mark.usefixtures("io_uring")
@pytest.mark.parametrize("v6", [0, 1], ids=["ipv4", "ipv6"])
@pytest.mark.parametrize("call", BY_RING)
def test_bytes_by_ring(recorder: Recorder, call: str, v6: int) -> None:
    """The same with io_uring, which makes no system call for each move."""
    assert_bytes_agree(recorder, make(call, v6=v6).connections)


def test_gibibyte(recorder: Recorder) -> None:
    """1 GiB over one connection: not a byte more or less."""
    report = make("bulk", size=GIBIBYTE)

    assert_bytes_agree(recorder, report.connections)
    assert report.connections[0].sent == GIBIBYTE
