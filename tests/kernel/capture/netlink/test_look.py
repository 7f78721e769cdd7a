"""The netlink tier's looks, against the application, the btf tier and ss."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import connscope
from connscope.capture.btf.tier import BtfTier
from connscope.capture.netlink.tier import NetlinkTier
from connscope.config import Config
from connscope.row.address import address_text
from connscope.row.words import Group, Kind, OwnerEvidence, Protocol, Role, State
from tests.kernel.recorder import PATIENCE_S, Recorder, comm, pick
from tests.kernel.watched import connect, fill, line, running
from tests.unprivileged import WITHOUT_PRIVILEGES

EACH_LOOK = Config(owner_check_interval_s=0)
COLUMNS_ALIKE = [
    "socket_id",
    "socket_inode",
    "local_address",
    "peer_address",
    "local_port",
    "peer_port",
    "protocol",
    "family",
    "role",
    "state",
    "netns",
    "uid",
    "cgroup_id",
    "pid",
    "comm",
    "bytes_sent",
    "bytes_received",
    "unread_bytes",
    "unacked_bytes",
    "segments_sent",
    "segments_received",
    "retransmits",
    "rtt_us",
    "rtt_var_us",
    "min_rtt_us",
    "queue_length",
    "queue_limit",
]


@pytest.fixture
def tier() -> Iterator[NetlinkTier]:
    """A tier with default settings, open."""
    with NetlinkTier(Config()) as tier:
        yield tier


def shown(tier: NetlinkTier, port: int, **columns: Any) -> Any:
    """What a look shows with that port at either end."""
    return pick(tier.look(), port, Kind.SNAPSHOT, **columns)


def looks_of_one_moment(tier: NetlinkTier, other: BtfTier, port: int) -> tuple[Any, Any]:
    """What both show while nothing is sent: who is stuck probes his peer now and then."""
    end = time.monotonic() + PATIENCE_S
    while True:
        before = shown(tier, port)
        theirs = pick(other.look(), port, Kind.SNAPSHOT)
        ours = shown(tier, port)
        if all(np.array_equal(before[name], ours[name]) for name in COLUMNS_ALIKE):
            return ours, theirs
        assert time.monotonic() < end, "it never rested"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_looks_of_both_tiers_agree(tier: NetlinkTier, address: str) -> None:
    """A listener with a queue, quiet connections, one that is half closed and one that is stuck."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with ExitStack() as ends, socket.create_server((address, 0), family=family) as server:
        pairs = [connect(server) for _ in range(3)]
        for pair in pairs:
            for end in pair:
                ends.enter_context(end)
        pairs[0][0].sendall(b"x" * 1000)
        pairs[1][0].sendall(b"x" * 70)
        pairs[1][0].shutdown(socket.SHUT_WR)
        pairs[2][0].setblocking(False)
        fill(pairs[2][0])
        pairs[2][0].close()
        ends.enter_context(socket.create_connection(server.getsockname()[:2]))
        port = server.getsockname()[1]
        with BtfTier(Config()) as other:
            ours, theirs = looks_of_one_moment(tier, other, port)
    theirs = theirs[np.argsort(theirs["socket_id"])]
    assert len(ours) == 9
    for name in COLUMNS_ALIKE:
        assert np.array_equal(ours[name], theirs[name]), name
    assert not (ours["exact"] & ~theirs["exact"]).any()


def test_ss_counts_the_same(tier: NetlinkTier) -> None:
    """As many bytes, segments and the same round trip time, cookie and inode as ss shows."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client, accepted = connect(server)
        with client, accepted:
            client.sendall(b"x" * 1234)
            accepted.recv(1234, socket.MSG_WAITALL)
            port = server.getsockname()[1]
            (row,) = shown(tier, port, peer_port=port)
            command = ["ss", "-tneiHO", f"dport = :{port}"]
            said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    wanted = {"ino": row["socket_inode"], "bytes_sent": row["bytes_sent"], "segs_out": None}
    wanted["segs_out"] = row["segments_sent"]
    found = {name: int(re.findall(rf"\b{name}:(\d+)", said)[0]) for name in wanted}
    assert found == {name: int(value) for name, value in wanted.items()}
    assert int(re.findall(r"\bsk:([0-9a-f]+)", said)[0], 16) == row["socket_id"]
    assert float(re.findall(r"\brtt:([\d.]+)", said)[0]) * 1000 == row["rtt_us"]


def test_stalled_sender(tier: NetlinkTier) -> None:
    """What was accepted and not sent yet counts, as in the application."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client, accepted = connect(server)
        with client, accepted:
            client.setblocking(False)
            sent = fill(client)
            port = server.getsockname()[1]
            rows = shown(tier, port)
    (out,), (incoming,) = rows[rows["peer_port"] == port], rows[rows["bytes_received"] > 0]
    assert out["bytes_sent"] == sent
    assert sent - incoming["bytes_received"] <= out["unacked_bytes"] <= sent
    assert incoming["unread_bytes"] == incoming["bytes_received"]


def test_owner_that_has_changed(tier: NetlinkTier) -> None:
    """A socket passed on to a child and closed here is the child's at the next check of owners."""
    with socket.create_server(("127.0.0.1", 0)) as server, NetlinkTier(EACH_LOOK) as eager:
        port = server.getsockname()[1]
        with running(
            "print(1, flush=True); sys.stdin.read()", pass_fds=(server.fileno(),)
        ) as child:
            line(child)
            (own,) = shown(tier, port)
            server.close()
            (passed,) = shown(eager, port)
            (kept,) = shown(tier, port)
            child.kill()
    assert (own["pid"], passed["pid"], kept["pid"]) == (os.getpid(), child.pid, os.getpid())
    assert comm(own) == Path("/proc/self/comm").read_bytes().rstrip()
    for row in (own, passed):
        assert row["owner_evidence"] == OwnerEvidence.FD_TABLE
        assert row["known"] & Group.OWNER
        assert not row["exact"] & Group.OWNER


def test_child_that_nobody_accepted_gets_its_owner_with_its_file(tier: NetlinkTier) -> None:
    """Without a file its listener's is taken; once accepted it counts as new."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(server.getsockname()):
            (before,) = shown(tier, port, local_port=port, state=State.ESTABLISHED)
            with server.accept()[0]:
                (after,) = shown(tier, port, local_port=port, state=State.ESTABLISHED)
    assert (before["pid"], before["socket_inode"]) == (os.getpid(), 0)
    assert before["owner_evidence"] == OwnerEvidence.LISTENER
    assert (after["pid"], after["socket_id"]) == (os.getpid(), before["socket_id"])
    assert after["owner_evidence"] == OwnerEvidence.FD_TABLE


class TestDatagrams:
    """UDP sockets are part of a look."""

    @pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
    def test_bound_and_connected(self, tier: NetlinkTier, address: str) -> None:
        """Each has its ends and its owner, and no counters."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with (
            socket.socket(family, socket.SOCK_DGRAM) as bound,
            socket.socket(family, socket.SOCK_DGRAM) as connected,
        ):
            bound.bind((address, 0))
            port = bound.getsockname()[1]
            connected.connect((address, port))
            rows = shown(tier, port, protocol=Protocol.UDP)
            inodes = [os.fstat(end.fileno()).st_ino for end in (bound, connected)]
        (first,), (second,) = rows[rows["local_port"] == port], rows[rows["peer_port"] == port]
        assert [first["socket_inode"], second["socket_inode"]] == inodes
        assert (first["state"], second["state"]) == (State.CLOSE, State.ESTABLISHED)
        assert address_text(second["peer_address"].tobytes()) == address
        for row in (first, second):
            assert (row["pid"], row["uid"]) == (os.getpid(), os.getuid())
            assert Group(int(row["known"])) == Group.IDENTITY | Group.ENDS | Group.OWNER


class TestMinisockets:
    """What is left of connections is no part of a look."""

    def test_time_wait_and_fin_wait2(self, tier: NetlinkTier) -> None:
        """Each has its ends and its state, and nothing else."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            client, accepted = connect(server)
            client.close()
            Recorder(cast("Any", tier)).one(port, Kind.CLOSED)
            (half,) = pick(tier.minisockets(), port, Kind.SNAPSHOT)
            assert not len(shown(tier, port, peer_port=port))
            accepted.close()
            (waiting,) = pick(tier.minisockets(), port, Kind.SNAPSHOT)
            assert len(shown(tier, port)) == 1
        assert (half["state"], waiting["state"]) == (State.FIN_WAIT2, State.TIME_WAIT)
        assert Group(int(waiting["known"])) == Group.ENDS
        assert waiting["role"] == Role.UNKNOWN


UNPRIVILEGED = """
import json, os, socket, sys
from connscope.capture.netlink.tier import NetlinkTier
from connscope.config import Config
with NetlinkTier(Config()) as tier, socket.create_server(("127.0.0.1", 0)) as server:
    rows = tier.look()
    own = rows[rows["local_port"] == server.getsockname()[1]]
    socket.create_connection(server.getsockname()).close()
    server.accept()[0].close()
    while not len(events := tier.events()):
        tier.wait(1)
    print(json.dumps({
        "limits": tier.limits, "kinds": len(tier.kinds),
        "events": set(events["kind"].tolist()) == {4},
        "pid": int(own["pid"][0]), "self": os.getpid(), "namespaces": len(set(rows["netns"])),
        "owners": sorted(set(rows["pid"].tolist()) - {0}),
    }))
"""


def test_unprivileged() -> None:
    """Own namespace, own processes; it says both. Closes of that namespace everybody may hear."""
    source = Path(connscope.__file__).parents[1]
    finished = subprocess.run(
        [*WITHOUT_PRIVILEGES, sys.executable, "-B", "-c", UNPRIVILEGED],
        env={"PYTHONPATH": str(source)},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert not finished.returncode, finished.stderr
    said = json.loads(finished.stdout)
    assert (said["kinds"], said["events"], said["namespaces"]) == (2, True, 1)
    assert said["owners"] == [said["self"]] == [said["pid"]]
    for capability in ("CAP_SYS_ADMIN", "CAP_SYS_PTRACE"):
        assert any(capability in sentence for sentence in said["limits"])


def test_root_has_no_limits(tier: NetlinkTier) -> None:
    """On this machine, which has everything."""
    assert tier.limits == ()
    assert tier.kinds == {Kind.CLOSED, Kind.LOST}
