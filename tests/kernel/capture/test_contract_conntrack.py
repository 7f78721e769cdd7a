"""The tiers that hear conntrack keep what the contract says of its flows."""

from __future__ import annotations

import os

import pytest

from connscope.capture.contract import CONNTRACK_CONTRACT, Certainty
from connscope.capture.ladder import Ladder
from connscope.config import load_config
from connscope.row.columns import COLUMNS_OF
from connscope.row.words import Group, Kind, Role, Tier, word
from tests.kernel.followed import FollowedNamespace, Heard, short_flow

TIERS = list(CONNTRACK_CONTRACT)


@pytest.mark.parametrize("tier", TIERS, ids=word)
@pytest.mark.parametrize("acct", [True, False], ids=["counted", "not counted"])
def test_flow_of_a_socket_that_is_known(tier: Tier, acct: bool) -> None:
    """Exact groups have both bits, estimated ones the one, unknown ones neither bit nor number."""
    config = load_config(tier=word(tier), udp=True, owner_check_interval_s=0)
    with (
        FollowedNamespace(acct=acct) as there,
        there.udp() as server,
        Ladder(config) as ladder,
    ):
        heard = Heard(ladder, there.inode)
        heard.shown()
        port = short_flow(there, server, 100, 7)
        heard.of(Kind.OPENED, 2)
        shown = heard.flow(server.getsockname()[1], Group.TRAFFIC if acct else Group.LIFE)
        there.hasten()
        server.sendto(b"", ("127.0.0.1", port))
        (idle,) = heard.of(Kind.IDLE, role=Role.SERVER)
    contract = dict(CONNTRACK_CONTRACT[tier])
    if not acct:
        contract[Group.TRAFFIC] = Certainty.UNKNOWN
    for row in (shown, idle):
        assert (row["bytes_sent"], row["bytes_received"]) == ((7, 100) if acct else (0, 0))
        assert (row["tier"], row["pid"]) == (tier, os.getpid())
        for group, certainty in contract.items():
            known = group in Group(int(row["known"]))
            assert known == (certainty != Certainty.UNKNOWN), group
            assert (group in Group(int(row["exact"]))) == (certainty == Certainty.EXACT), group
            assert known or not any(row[name] for name in COLUMNS_OF[group]), group


@pytest.mark.parametrize("tier", TIERS, ids=word)
def test_flow_that_lives_for_a_moment(tier: Tier) -> None:
    """Of sockets that no look has shown: told once, opened and idle, at both ends."""
    config = load_config(tier=word(tier), udp=True, look_interval_s=0.2)
    with FollowedNamespace(timeout_s=1) as there, Ladder(config) as ladder:
        heard = Heard(ladder, there.inode)
        with there.udp() as server:
            short_flow(there, server, 100, 7)
        opened, idle = heard.of(Kind.OPENED, 2), heard.of(Kind.IDLE, 2)
        assert set(opened["connection_id"]) == set(idle["connection_id"])
        assert sorted(idle["bytes_sent"].tolist()) == [7, 100]
        assert len(heard.rows) == 4
