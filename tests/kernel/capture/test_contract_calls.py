"""Each tier keeps its contract whatever system call moves the bytes, and claims no more."""

from __future__ import annotations

import pytest

from tests.kernel.promised_rows import assert_promises_kept
from tests.kernel.promises import play, told_of
from tests.kernel.recorder import Recorder
from tests.surroundings import FAMILIES, scaled
from tests.traffic.calls import BY_CALL, BY_RING

SIXTY_FOUR_MEBIBYTES = scaled(1 << 26)


@pytest.mark.parametrize("call", BY_CALL)
def test_moved_by(each_tier: Recorder, call: str) -> None:
    """3 MB there and 70 kB back, IPv4 and IPv6."""
    plays = [play(call, v6=v6) for v6 in FAMILIES]

    assert_promises_kept(told_of(each_tier, *plays), call)


@pytest.mark.usefixtures("io_uring")
@pytest.mark.parametrize("call", BY_RING)
def test_moved_by_ring(each_tier: Recorder, call: str) -> None:
    """The same with io_uring, which makes no system call for each move."""
    plays = [play(call, v6=v6) for v6 in FAMILIES]

    assert_promises_kept(told_of(each_tier, *plays), call)


def test_moved_in_bulk(each_tier: Recorder) -> None:
    """Much over one connection: more than any window."""
    bulk = play("bulk", size=SIXTY_FOUR_MEBIBYTES)

    assert_promises_kept(told_of(each_tier, bulk), "bulk")


@pytest.mark.parametrize("call", ["write", "sendfile"])
def test_never_looked_at(telling_tier: Recorder, call: str) -> None:
    """It is over before any look."""
    plays = [play(call, v6=v6) for v6 in FAMILIES]

    assert_promises_kept(told_of(telling_tier, *plays, looks=False), call)


@pytest.mark.parametrize("kind", ["udp_connected", "udp_unconnected"])
def test_datagrams_are_no_connection(each_tier: Recorder, kind: str) -> None:
    """UDP sockets are in looks; no tier tells that one opened or closed."""
    told = told_of(each_tier, play(kind))

    assert len(told.traffic.ends) == 2
    ports = [int(end.local.rpartition(":")[2]) for end in told.traffic.ends]
    assert not set(ports) & set(told.rows["local_port"].tolist())
