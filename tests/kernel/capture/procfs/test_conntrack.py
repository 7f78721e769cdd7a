"""UDP flows in the procfs tier, as conntrack tells them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from connscope.capture.procfs.tier import ProcfsTier
from connscope.config import Config
from connscope.row.words import Group, Kind, OwnerEvidence, Role, Tier
from tests.kernel.followed import FollowedNamespace, Heard, short_flow
from tests.kernel.recorder import PATIENCE_S
from tests.unprivileged import told_without_privileges

FLOWS = Config(udp=True, owner_check_interval_s=0)


@pytest.fixture
def there() -> Iterator[FollowedNamespace]:
    """A namespace whose flows are forgotten a second after their last datagram."""
    with FollowedNamespace(timeout_s=1) as namespace:
        yield namespace


@pytest.mark.parametrize("background", [False, True])
def test_both_ends_open_and_end_once(there: FollowedNamespace, background: bool) -> None:
    """With their bytes, and with the owner of the socket that a pass has shown."""
    with ProcfsTier(FLOWS, background=background) as tier, there.udp() as server:
        heard = Heard(tier, there.inode)
        heard.until(lambda _: len(heard.shown(flows=False)))
        port = server.getsockname()[1]
        client_port = short_flow(there, server, 100, 7)
        assert tier.kinds == {Kind.IDLE, Kind.LOST}
        opened, idle = heard.of(Kind.OPENED, 2), heard.of(Kind.IDLE, 2)
        assert set(opened["connection_id"]) == set(idle["connection_id"])
        (client,), (asked,) = (idle[idle["role"] == role] for role in (Role.CLIENT, Role.SERVER))
        assert (client["local_port"], client["peer_port"]) == (client_port, port)
        assert (client["bytes_sent"], client["bytes_received"]) == (100, 7)
        assert (asked["bytes_sent"], asked["bytes_received"]) == (7, 100)
        assert (asked["pid"], asked["owner_evidence"]) == (os.getpid(), OwnerEvidence.FD_TABLE)
        assert Group(int(asked["known"])) == (
            Group.IDENTITY | Group.ENDS | Group.OWNER | Group.TRAFFIC | Group.LIFE
        )
        assert Group(int(asked["exact"])) == Group.IDENTITY | Group.ENDS
        assert (asked["tier"], len(heard.rows)) == (Tier.PROCFS, 4)
        assert tier.losses().rows == 0


def test_a_flow_is_in_looks() -> None:
    """A connected socket is shown as its flow, once."""
    with (
        FollowedNamespace() as there,
        ProcfsTier(FLOWS) as tier,
        there.udp() as server,
        there.udp() as client,
    ):
        heard = Heard(tier, there.inode)
        client.connect(server.getsockname())
        (socket_row,) = heard.shown()
        client.send(b"x")
        flow = heard.flow(client.getsockname()[1])
        assert (flow["bytes_sent"], flow["pid"]) == (1, os.getpid())
        assert flow["socket_inode"] == socket_row["socket_inode"]


def test_what_finds_no_room_is_counted() -> None:
    """To the message."""
    config = Config(udp=True, netlink_receive_bytes=4096)
    with FollowedNamespace() as there, ProcfsTier(config) as tier, there.udp() as client:
        heard = Heard(tier, there.inode)
        for port in range(20_000, 21_000):
            client.sendto(b"x", ("127.0.0.1", port))
        told = int((heard.drain()["role"] == Role.CLIENT).sum())
        assert 0 < told < 1000
        assert told + tier.losses().rows == 1000


def test_a_wait_ends_when_it_is_closed() -> None:
    """By another thread, else it would have no end."""
    tier = ProcfsTier(FLOWS)
    tier.open()
    waiting = threading.Thread(target=tier.wait, args=(None,), daemon=True)
    waiting.start()
    tier.close()
    waiting.join(PATIENCE_S)
    assert not waiting.is_alive()


def test_off_by_default(there: FollowedNamespace) -> None:
    """No flow is told, nor in looks."""
    with ProcfsTier(Config()) as tier, there.udp() as server:
        short_flow(there, server)
        heard = Heard(tier, there.inode)
        assert not len(heard.shown())
        assert not len(heard.drain())


UNPRIVILEGED = """
import json
from connscope.capture.procfs.tier import ProcfsTier
from connscope.config import Config
with ProcfsTier(Config(udp=True)) as tier:
    tier.look()
    print(json.dumps({"limits": tier.limits, "waited": tier.wait(0), "kinds": len(tier.kinds)}))
"""


def test_without_permission() -> None:
    """Looks go on; what is missing is said."""
    said = told_without_privileges(UNPRIVILEGED)
    assert "short UDP flows are not seen: CAP_NET_ADMIN is missing" in said["limits"]
    assert any("other network namespaces" in sentence for sentence in said["limits"])
    assert (said["waited"], said["kinds"]) == (False, 0)
