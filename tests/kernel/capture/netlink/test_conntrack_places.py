"""Where UDP flows are heard in the netlink tier: routers, translation, namespaces without."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from connscope.capture.netlink.tier import NetlinkTier
from connscope.config import Config
from connscope.errors import FailedError
from connscope.row.address import address_text
from connscope.row.words import Group, Kind, Role
from tests.kernel.followed import FollowedNamespace, Heard, short_flow
from tests.kernel.namespace import Namespace
from tests.unprivileged import told_without_privileges

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


class TestTranslation:
    """A socket's row has the ends that the socket sees."""

    def test_both_sides_of_a_redirection(self, there: FollowedNamespace, heard: Heard) -> None:
        """Who asks port 9999 is answered by another."""
        with there.udp() as server, there.udp() as client:
            port = server.getsockname()[1]
            chain = f"type nat hook output priority -100; udp dport 9999 redirect to :{port}"
            there.run("nft -f -", text=f"table ip n {{ chain out {{ {chain}\n }}\n }}\n")
            client.sendto(b"x", ("127.0.0.1", 9999))
            asked, who = server.recvfrom(10)
            server.sendto(asked, who)
            assert client.recvfrom(10)[1] == ("127.0.0.1", 9999)
            opened = heard.of(Kind.OPENED, 2)
        (asking,), (asked_,) = (opened[opened["role"] == role] for role in (1, 2))
        assert (asking["local_port"], asking["peer_port"]) == (client_port := who[1], 9999)
        assert (asked_["local_port"], asked_["peer_port"]) == (port, client_port)


class Router(FollowedNamespace):
    """Passes on what comes: one network on each side, this machine is 1 in both."""

    def __init__(self) -> None:
        super().__init__("ct state established,new counter accept")
        self.sides = [Namespace(), Namespace()]
        self.set("ipv4/ip_forward", 1)
        for number, side in enumerate(self.sides):
            peer = f"/proc/{os.getpid()}/fd/{side.fd}"
            self.run(f"ip link add v{number} type veth peer name v netns {peer}")
            self.run(f"ip addr add 10.7{number}.0.1/24 dev v{number}")
            self.run(f"ip link set v{number} up")
            side.run(f"ip addr add 10.7{number}.0.2/24 dev v")
            side.run("ip link set v up")
            side.run(f"ip route add default via 10.7{number}.0.1")

    def at(self, number: int, port: int) -> socket.socket:
        """A UDP socket on that side."""
        with self.sides[number].entered():
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.settimeout(20)
        made.bind((f"10.7{number}.0.2", port))
        return made

    def close(self) -> None:
        """Lets go of all three."""
        for side in self.sides:
            side.close()
        super().close()


class TestNetwork:
    """Flows to and from others."""

    def test_what_is_passed_on_is_no_connection_of_the_router(self) -> None:
        """What comes to itself is, and conntrack knew both."""
        with Router() as router, NetlinkTier(FLOWS) as tier:
            with router.at(0, 5000) as left, router.at(1, 5001) as right:
                left.sendto(b"over", ("10.71.0.2", 5001))
                assert right.recv(10) == b"over"
                left.sendto(b"here", ("10.70.0.1", 5002))
            heard = Heard(tier, router.inode)
            rows = heard.of(Kind.OPENED)
            assert rows["local_port"].tolist() == [5002]
            assert [home.udp.follows for home in tier._open_homes if home.inode == router.inode]
            assert set(heard.shown()["local_port"].tolist()) == {5002}

    def test_an_address_that_is_new_is_its_own(self) -> None:
        """Given to it after the last look."""
        with Router() as router, NetlinkTier(FLOWS) as tier, router.at(0, 5000) as left:
            router.run("ip addr add 10.70.0.99/24 dev v0")
            left.sendto(b"x", ("10.70.0.99", 53))
            rows = Heard(tier, router.inode).of(Kind.OPENED)
            assert address_text(rows["local_address"][0].tobytes()) == "10.70.0.99"

    def test_an_address_that_has_gone(self) -> None:
        """The end of its flow is told all the same, and looks show it until then."""
        with Router() as router, NetlinkTier(FLOWS) as tier, router.at(0, 5000) as left:
            heard = Heard(tier, router.inode)
            left.sendto(b"x", ("10.70.0.1", 53))
            (opened,) = heard.of(Kind.OPENED)
            router.run("ip addr del 10.70.0.1/24 dev v0")
            (shown,) = heard.shown()
            router.hasten()
            left.sendto(b"x", ("10.70.0.1", 53))
            (idle,) = heard.of(Kind.IDLE)
            assert opened["connection_id"] == shown["connection_id"] == idle["connection_id"]

    def test_what_goes_to_a_group_is_for_who_listens(self) -> None:
        """Only where a look has shown a socket on that port."""
        with Router() as router, NetlinkTier(FLOWS) as tier, router.at(0, 5000) as left:
            with router.udp("0.0.0.0", 6001) as server:
                member = socket.inet_aton("239.1.2.3") + socket.inet_aton("10.70.0.1")
                server.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
                tier.look()
                for port in (6000, 6001):
                    left.sendto(b"x", ("239.1.2.3", port))
                assert server.recv(10) == b"x"
                rows = Heard(tier, router.inode).of(Kind.OPENED)
            assert (rows["local_port"][0], rows["role"][0]) == (6001, Role.SERVER)
            assert rows["pid"][0] == os.getpid()


class TestWithout:
    """Where there is nothing to hear, it is said."""

    def test_without_counters_bytes_are_not_known(self) -> None:
        """nf_conntrack_acct is off, as it is by default; nobody switches it on."""
        with FollowedNamespace(acct=False, timeout_s=1) as there, NetlinkTier(FLOWS) as tier:
            heard = Heard(tier, there.inode)
            with there.udp() as server:
                short_flow(there, server)
            for row in heard.of(Kind.IDLE, 2):
                assert Group.TRAFFIC not in Group(int(row["known"]))
                assert not row["bytes_sent"]
            assert any("nf_conntrack_acct was 0" in said for said in tier.limits)

    def test_without_a_rule_nothing_is_followed(self) -> None:
        """The protocol answers, and tells of no flow."""
        with FollowedNamespace("counter accept") as there, NetlinkTier(FLOWS) as tier:
            with there.udp() as server:
                short_flow(there, server)
            tier.look()
            assert not len(Heard(tier, there.inode).drain())
            assert any("where a rule needs it" in said for said in tier.limits)

    def test_a_module_that_comes_later(
        self, there: FollowedNamespace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Flows are heard from the next look on."""
        loaded = "connscope.capture.conntrack.home.is_conntrack_loaded"
        with monkeypatch.context() as patched:
            patched.setattr(loaded, lambda: False)
            tier = NetlinkTier(FLOWS)
            tier.open()
        with closing(tier), there.udp() as server:
            assert any("nf_conntrack is not loaded" in said for said in tier.limits)
            tier.look()
            short_flow(there, server)
            Heard(tier, there.inode).of(Kind.OPENED, 2)
            assert not any("nf_conntrack is not loaded" in said for said in tier.limits)

    def test_where_it_failed_once_it_is_tried_again(
        self, there: FollowedNamespace, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """There were no descriptors left for a moment."""

        def refuse() -> None:
            raise FailedError("conntrack", "no netlink socket: Too many open files", errno.EMFILE)

        with monkeypatch.context() as patched:
            patched.setattr("connscope.capture.conntrack.home.ConntrackDump", refuse)
            tier = NetlinkTier(FLOWS)
            tier.open()
        with closing(tier), there.udp() as server:
            assert any("Too many open files" in said for said in tier.limits)
            tier.look()
            short_flow(there, server)
            Heard(tier, there.inode).of(Kind.OPENED, 2)
            assert not any("Too many open files" in said for said in tier.limits)

    def test_off_by_default(self, there: FollowedNamespace) -> None:
        """No socket of it is open, and no flow in looks."""
        with NetlinkTier(Config()) as tier, there.udp() as server:
            short_flow(there, server)
            assert not any(home.udp.is_open for home in tier._open_homes)
            assert not len(Heard(tier, there.inode).shown())
            assert Kind.IDLE not in tier.kinds


UNPRIVILEGED = """
import json, socket
from connscope.capture.netlink.tier import NetlinkTier
from connscope.config import Config
with NetlinkTier(Config(udp=True)) as tier, socket.create_server(("127.0.0.1", 0)) as server:
    print(json.dumps({"limits": tier.limits, "rows": len(tier.look())}))
"""


def test_without_permission() -> None:
    """It says what is missing, and looks go on."""
    said = told_without_privileges(UNPRIVILEGED)
    assert "short UDP flows are not seen: CAP_NET_ADMIN is missing" in said["limits"]
    assert said["rows"]
