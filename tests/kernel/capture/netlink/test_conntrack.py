"""UDP flows in the netlink tier, as conntrack tells them, against what the applications know."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, cast

import pytest

from connscope.capture.netlink.tier import NetlinkTier
from connscope.config import Config
from connscope.row.address import address_text
from connscope.row.columns import Rows
from connscope.row.words import Group, Kind, OwnerEvidence, Role, State, Tier
from connscope.tracker.tracker import Tracker
from tests.kernel.followed import FollowedNamespace, Heard, short_flow

FLOWS = Config(udp=True, owner_check_interval_s=0)


@pytest.fixture
def there() -> Iterator[FollowedNamespace]:
    """A namespace whose flows are forgotten a second after their last datagram."""
    with FollowedNamespace(timeout_s=1) as namespace:
        yield namespace


@pytest.fixture
def heard(there: FollowedNamespace) -> Iterator[Heard]:
    """What a tier tells of it."""
    with NetlinkTier(FLOWS) as tier:
        yield Heard(tier, there.inode)


def groups(row: Rows, mask: str) -> Group:
    return Group(int(row[mask]))


class TestOneFlow:
    """A question and an answer by a socket that lives for a moment."""

    @pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
    def test_both_ends_open_and_end_once(
        self, there: FollowedNamespace, heard: Heard, address: str
    ) -> None:
        """With the bytes of the application, each its own way round."""
        with there.udp(address) as server:
            port = server.getsockname()[1]
            client_port = short_flow(there, server, 100, 7)
        opened = heard.of(Kind.OPENED, 2)
        idle = heard.of(Kind.IDLE, 2)
        assert len(heard.rows) == 4
        for role, ends, sent, received in (
            (Role.CLIENT, (client_port, port), 100, 7),
            (Role.SERVER, (port, client_port), 7, 100),
        ):
            (first,), (last,) = (rows[rows["role"] == role] for rows in (opened, idle))
            assert first["connection_id"] == last["connection_id"]
            assert (last["local_port"], last["peer_port"]) == ends
            assert address_text(last["local_address"].tobytes()) == address
            assert (last["bytes_sent"], last["bytes_received"]) == (sent, received)
            assert (last["segments_sent"], last["segments_received"]) == (1, 1)
            assert (last["tier"], last["state"]) == (Tier.NETLINK, State.CLOSE)
            assert first["opened_ns"] == last["opened_ns"] <= last["closed_ns"]

    def test_masks(self, there: FollowedNamespace, heard: Heard) -> None:
        """Bytes are those that passed conntrack, and times when we read of it: not exact."""
        with there.udp() as server:
            heard.tier.look()
            short_flow(there, server)
        for row in heard.of(Kind.OPENED, 2):
            assert Group.TRAFFIC not in groups(row, "known")
            assert Group.LIFE in groups(row, "known")
            assert groups(row, "exact") == Group.IDENTITY | Group.ENDS
        for row in heard.of(Kind.IDLE, 2):
            assert groups(row, "known") >= Group.IDENTITY | Group.ENDS | Group.TRAFFIC | Group.LIFE
            assert groups(row, "exact") == Group.IDENTITY | Group.ENDS

    def test_many_datagrams(self, there: FollowedNamespace, heard: Heard) -> None:
        """Of all sizes, also larger than the link takes."""
        sizes = [0, 1, 1472, 9000, 60000]
        with there.udp() as server, there.udp() as client:
            for size in sizes:
                client.sendto(b"x" * size, server.getsockname())
                assert len(server.recv(65536)) == size
        (row,) = heard.of(Kind.IDLE, role=Role.CLIENT)
        assert (row["bytes_sent"], row["segments_sent"]) == (sum(sizes), len(sizes))

    def test_a_flow_comes_back(self, there: FollowedNamespace, heard: Heard) -> None:
        """After conntrack had forgotten it: opened and idle again, with counters from nothing."""
        with there.udp() as server, there.udp() as client:
            for turn in (1, 2):
                client.sendto(b"x" * turn, server.getsockname())
                heard.of(Kind.IDLE, turn, role=Role.CLIENT)
        sent = heard.of(Kind.IDLE, 2, role=Role.CLIENT)["bytes_sent"]
        assert sent.tolist() == [1, 2]
        heard.of(Kind.OPENED, 2, role=Role.CLIENT)


class TestOwners:
    """Sockets that a look has shown."""

    def test_the_socket_of_the_port_gives_the_owner(
        self, there: FollowedNamespace, heard: Heard
    ) -> None:
        """Also at the end, when it is closed; the one that nobody saw has none."""
        with there.udp() as server:
            heard.tier.look()
            short_flow(there, server)
            opened = heard.of(Kind.OPENED, 2)
        for rows in (opened, heard.of(Kind.IDLE, 2)):
            (row,) = rows[rows["role"] == Role.SERVER]
            assert (row["pid"], row["uid"]) == (os.getpid(), os.getuid())
            assert row["owner_evidence"] == OwnerEvidence.FD_TABLE
            assert Group.OWNER in groups(row, "known")
        (client,) = opened[opened["role"] == Role.CLIENT]
        assert Group.OWNER not in groups(client, "known")

    def test_what_comes_to_a_port_may_be_for_nobody(
        self, there: FollowedNamespace, heard: Heard
    ) -> None:
        """No look has shown a socket there: the receiving end is no fact."""
        with there.udp() as server:
            short_flow(there, server)
        (row,) = heard.of(Kind.OPENED, role=Role.SERVER)
        assert groups(row, "exact") == Group.IDENTITY


class TestLooks:
    """Flows are in looks as long as conntrack knows them."""

    def test_a_flow_is_shown_with_what_it_has_carried(self, heard: Heard) -> None:
        """And not any more when it is over."""
        with FollowedNamespace() as there, there.udp() as server:
            heard = Heard(heard.tier, there.inode)
            port = short_flow(there, server, 100, 7)
            client = heard.flow(port)
            assert (client["kind"], client["bytes_sent"]) == (Kind.SNAPSHOT, 100)
            there.hasten()
            server.sendto(b"", ("127.0.0.1", port))
            heard.of(Kind.IDLE, 2)
            assert not len(heard.shown())

    def test_a_flow_that_is_older(self) -> None:
        """It is in looks; nobody knows since when."""
        with FollowedNamespace() as there, there.udp() as server:
            short_flow(there, server)
            with NetlinkTier(FLOWS) as tier:
                shown = Heard(tier, there.inode).shown()
        assert len(shown) == 2
        assert not any(Group.LIFE in groups(row, "known") for row in shown)

    def test_a_connected_socket_is_shown_once(self, heard: Heard) -> None:
        """As its flow while there is one, with its inode; a socket without a peer is none."""
        with FollowedNamespace() as there, there.udp() as server, there.udp() as client:
            heard = Heard(heard.tier, there.inode)
            client.connect(server.getsockname())
            (alone,) = heard.shown()
            client.send(b"x")
            heard.of(Kind.OPENED, 2)
            flow = heard.flow(client.getsockname()[1])
            assert len(heard.shown()) == 2
            assert flow["socket_inode"] == alone["socket_inode"] == os.fstat(client.fileno()).st_ino
            assert (flow["bytes_sent"], flow["pid"]) == (1, os.getpid())
            assert flow["connection_id"] != alone["connection_id"]
            assert len(heard.shown(flows=False)) == 1


class TestMany:
    """More than one at a time."""

    COUNT = 3000

    def send_to_many(self, there: FollowedNamespace) -> None:
        """A datagram to each of so many ports, on which nobody listens."""
        with there.udp() as client:
            for port in range(20_000, 20_000 + self.COUNT):
                client.sendto(b"x" * (port % 10), ("127.0.0.1", port))

    def test_thousands_are_all_told(self, there: FollowedNamespace, heard: Heard) -> None:
        """Each once, and each end too; none is lost."""
        self.send_to_many(there)
        for kind in (Kind.OPENED, Kind.IDLE):
            rows = heard.of(kind, self.COUNT, role=Role.CLIENT)
            assert len(set(rows["connection_id"].tolist())) == self.COUNT
        assert (rows["bytes_sent"] == rows["peer_port"] % 10).all()
        assert heard.tier.losses().rows == 0

    def test_what_finds_no_room_is_counted(self) -> None:
        """To the message: what was told and what was lost is what there was."""
        config = Config(udp=True, netlink_receive_bytes=4096)
        with FollowedNamespace() as there, NetlinkTier(config) as tier:
            heard = Heard(tier, there.inode)
            self.send_to_many(there)
            opened = heard.drain()
            told = int((opened["role"] == Role.CLIENT).sum())
            assert 0 < told < self.COUNT
            assert told + tier.losses().rows == self.COUNT

    def test_tcp_takes_no_room(self) -> None:
        """Its news are dropped before they are counted."""
        config = Config(udp=True, netlink_receive_bytes=4096)
        with (
            FollowedNamespace() as there,
            NetlinkTier(config) as tier,
            there.listener("127.0.0.1") as server,
            there.udp() as alone,
        ):
            for home in tier._open_homes:
                if home.news:  # sock_diag's tell of TCP
                    home.news.close()
                    home.news = None
            for _ in range(200):
                with there.tcp() as client:
                    client.connect(server.getsockname())
                    server.accept()[0].close()
            short_flow(there, alone)
            Heard(tier, there.inode).of(Kind.OPENED, 2)
            assert tier.losses().rows == 0


class Told:
    """A tracker as something to listen to."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self.events, self.wait = tracker.advance, tracker.wait

    def look(self) -> Rows:
        """What is open."""
        return self.tracker.connections().rows


def test_the_tracker_shows_a_flow_once() -> None:
    """From its beginning to its end, through several looks; both are told once."""
    config = Config(udp=True, tier="netlink", look_interval_s=0.2)
    with FollowedNamespace() as there, Tracker(config) as tracker, there.udp() as server:
        tracker.open()
        heard = Heard(cast("Any", Told(tracker)), there.inode)
        client, port = short_flow(there, server), server.getsockname()[1]
        heard.of(Kind.OPENED, 2)
        looks = tracker.looks
        heard.until(lambda _: tracker.looks > looks + 3)
        assert sorted(heard.shown()["local_port"].tolist()) == sorted((client, port))
        assert len(heard.shown(flows=False)) == 1
        there.hasten()
        server.sendto(b"z", ("127.0.0.1", client))
        assert heard.of(Kind.IDLE, 2)["bytes_sent"].sum() == 108
        assert len(heard.rows) == 4
        heard.until(lambda _: not len(heard.shown()))
