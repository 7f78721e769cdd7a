"""Each tier keeps what the contract says of UDP: flows where they are counted, else sockets."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, cast

import pytest

from connscope.capture.contract import UDP_CONTRACT, Certainty
from connscope.capture.ladder import Ladder
from connscope.config import load_config
from connscope.kernel.host.network_namespaces import network_namespace
from connscope.row.address import address_text
from connscope.row.columns import COLUMNS_OF
from connscope.row.words import Group, Kind, Protocol, Role, Tier, word
from tests.kernel.capture.test_udp_calls import bound, pair, port_of
from tests.kernel.capture.udp_ways import WAYS_HERE
from tests.kernel.promises import play, told_of
from tests.kernel.recorder import Recorder, comm, pick
from tests.kernel.tiers_here import TIERS_HERE
from tests.kernel.traffic.agreement import ROLES
from tests.surroundings import FAMILIES

ENDS = [("::1", socket.AF_INET6) if v6 else ("127.0.0.1", socket.AF_INET) for v6 in FAMILIES]
COUNTING = [tier for tier in TIERS_HERE if tier in (Tier.BTF, Tier.KPROBE)]
LOOKING = [tier for tier in TIERS_HERE if tier not in COUNTING]


def opened(tier: Tier) -> Ladder:
    return Ladder(load_config(tier=word(tier), udp=True, owner_check_interval_s=0))


@pytest.fixture(params=COUNTING, ids=word)
def counting_tier(request: pytest.FixtureRequest) -> Iterator[Recorder]:
    """A tier that counts flows; where the kernel has no way to it says so, no more."""
    with opened(request.param) as tier:
        if any("UDP flows are not seen" in limit for limit in tier.limits):
            assert request.param == Tier.BTF
            assert not WAYS_HERE
            pytest.skip("this kernel has no sock_send_length (6.3), and fexit may not be loaded")
        yield Recorder(cast("Any", tier))


def check_masks(row: Any, tier: Tier) -> None:
    """Exact groups have both bits, estimated ones the one, unknown ones neither bit nor number."""
    known, exact = Group(int(row["known"])), Group(int(row["exact"]))
    for group, certainty in UDP_CONTRACT[tier].items():
        assert (group in known) == (certainty != Certainty.UNKNOWN), group
        if certainty == Certainty.EXACT:
            assert group in exact, group
        if certainty == Certainty.UNKNOWN:
            names = set(COLUMNS_OF[group]) - {"closed_by"}  # that we closed it is told all the same
            assert not any(row[name] for name in names), group


@pytest.mark.parametrize("kind", ["udp_connected", "udp_unconnected"])
def test_flows_are_what_the_applications_counted(counting_tier: Recorder, kind: str) -> None:
    """Both ends of each: masks, bytes to the byte, ends, owner and role."""
    told = told_of(counting_tier, *(play(kind, v6=v6) for v6 in FAMILIES))
    assert len(told.traffic.ends) == 2 * len(FAMILIES)
    for end in told.traffic.ends:
        port = int(end.local.rpartition(":")[2])
        row = counting_tier.one(port, Kind.CLOSED, local_port=port, pid=end.pid)
        check_masks(row, counting_tier.tier.tier)
        assert (row["bytes_sent"], row["bytes_received"]) == (end.sent, end.received)
        assert (row["role"], row["netns"]) == (ROLES[end.role], end.netns)
        assert end.peer.endswith(f":{row['peer_port']}")


@pytest.mark.parametrize("tier", LOOKING, ids=word)
@pytest.mark.parametrize("ends", ENDS, ids=["ipv4", "ipv6"][: len(ENDS)])
def test_sockets_are_in_looks(tier: Tier, ends: tuple[str, socket.AddressFamily]) -> None:
    """Connected and not, with their owner, and no traffic."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(each) for each in (*pair(*ends), bound(*ends))]
        one, other, alone = (port_of(each) for each in sockets)
        rows = stack.enter_context(opened(tier)).look()
    for port, peer_port in ((one, other), (other, one), (alone, 0)):
        (row,) = pick(rows, port, Kind.SNAPSHOT, local_port=port)
        check_masks(row, tier)
        assert (row["protocol"], row["role"]) == (Protocol.UDP, Role.UNKNOWN)
        assert row["peer_port"] == peer_port
        assert address_text(row["local_address"].tobytes()) == ends[0]
        assert (row["pid"], row["netns"]) == (os.getpid(), network_namespace(os.getpid()))
        assert comm(row)
