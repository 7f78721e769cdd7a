"""Defects of a tracker before this one, as far as it takes a kernel to show them.

docs/robustness.md has all of them.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.kernel.namespace import Namespace
from tests.kernel.recorder import PATIENCE_S
from tests.kernel.tracker.child import ask, tracking
from tests.kernel.tracker.crowd import Crowd
from tests.kernel.tracker.tracked import (
    Tracked,
    holdings,
    netlink_sockets,
    repeated,
    until_gone,
)
from tests.kernel.watched import line, running

from connscope.config import load_config
from connscope.row.columns import Rows
from connscope.row.words import Group, Kind, OwnerEvidence, Role, Tier
from connscope.table.pairs import find_other_ends
from connscope.tracker.tracker import Tracker

NETLINK_NETFILTER = 12
HEADERS = "/usr/src /usr/include /lib/modules"
TIERS = ["btf", "netlink", "procfs"]
SHORT = 50

ACCEPTS = """
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
held = listener.accept()
print("accepted", flush=True)
sys.stdin.read()
"""

SERVES = """
listener = socket.create_server(("127.0.0.1", 8080), backlog=100)
print("listening", flush=True)
for _ in range(int(sys.argv[1])):
    server = listener.accept()[0]
    server.recv(1)
    server.close()
sys.stdin.read()
"""

CONNECTS = """
for number in range(int(sys.argv[1])):
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind(("127.0.0.1", 20000 + number))
        client.connect(("127.0.0.1", 8080))
        client.send(b"x")
        client.recv(1)
print("done", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    """With a debug directory of our own."""
    tmp_path.chmod(0o700)
    return {"debug_dir": str(tmp_path), "look_interval_s": 0.2}


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    """All in this process."""
    with Crowd() as made:
        yield made


def test_S08_socket_that_nobody_holds_has_no_process(
    settings: dict[str, Any], crowd: Crowd
) -> None:
    """Its row comes right after one that has: the process of that one is not blamed."""
    pairs = crowd.open(20)
    messages = socket.socketpair()
    hidden = {client.getsockname()[1] for client, _ in pairs[::2]}
    for client, _ in pairs[::2]:
        # Sent to ourselves and never received: the socket is in no descriptor table.
        socket.send_fds(messages[0], [b"x"], [client.fileno()])
        client.close()
    with Tracked(load_config(**settings, tier="procfs")) as tracked:
        rows = tracked.table(crowd.port)
    for end in messages:
        end.close()
    clients = rows[rows["peer_port"] == crowd.port]
    is_hidden = np.isin(clients["local_port"], list(hidden))
    assert clients["socket_inode"].all()
    assert clients["pid"][~is_hidden].tolist() == [os.getpid()] * 10
    assert clients["pid"][is_hidden].tolist() == [0] * 10
    assert not (clients["known"][is_hidden] & np.uint16(Group.OWNER)).any()


@pytest.mark.parametrize("accept_owner", ["auto", "exact", "listener"])
def test_S11_connection_of_a_server_that_was_in_accept_before_has_its_owner(
    settings: dict[str, Any], accept_owner: str
) -> None:
    """It called accept before there was a tracker; its client comes after."""
    with running(ACCEPTS) as server:
        port = int(line(server))
        while "accept" not in Path(f"/proc/{server.pid}/wchan").read_text():
            pass
        config = load_config(**settings, tier="btf", accept_owner=accept_owner)
        with Tracked(config) as tracked, socket.create_connection(("127.0.0.1", port)):
            tracked.until(lambda: len(tracked.table(port)) == 2)
            assert line(server) == "accepted"
            tracked.until(lambda: owners(tracked, port) == [server.pid])
            if accept_owner == "exact":
                tracked.until(lambda: OwnerEvidence.ACCEPT in tracked.table(port)["owner_evidence"])
            (row,) = (each for each in tracked.table(port) if each["role"] == Role.SERVER)
            opened = tracked.news(port, Kind.OPENED)
            server.communicate()
    assert bytes(row["comm"].tobytes()).rstrip(b"\0").startswith(b"python")
    assert len(opened) == 2


def owners(tracked: Tracked, port: int) -> list[int]:
    """The pids of the server's ends."""
    rows = tracked.table(port)
    pids: list[int] = rows["pid"][rows["local_port"] == port].tolist()
    return pids


def test_S12_nothing_of_a_tier_stays_after_the_fall(settings: dict[str, Any]) -> None:
    """No thread that polls, no descriptor, no program: all as if the worse one were the first."""
    with Tracked(load_config(**settings, tier="netlink")):
        alone = holdings()
    with Tracked(load_config(**settings)) as tracked:
        dead = holdings().bpf - alone.bpf
        tracked.kill_twice()
        assert tracked.tier == Tier.NETLINK
        until_gone(dead)
        assert holdings() == alone


@pytest.mark.parametrize("tier", TIERS)
def test_S15_nobody_follows_conntrack(settings: dict[str, Any], crowd: Crowd, tier: str) -> None:
    """No process of ours, and no netfilter socket: NAT is not followed yet, in any tier."""
    with tracking(**settings, tier=tier) as process:
        crowd.open(2)
        assert ask(process, crowd.port, looks=2)["tier"] == tier
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        assert netlink_sockets(NETLINK_NETFILTER, {process.pid}) == 0
    assert children == ""


def test_netlink_sockets_are_counted() -> None:
    """A netfilter socket of this process would have been seen."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as one:
        one.bind((0, 0))
        assert netlink_sockets(NETLINK_NETFILTER, {os.getpid()}) == 1
    assert netlink_sockets(NETLINK_NETFILTER, {os.getpid()}) == 0


@contextmanager
def short_connections(namespace: Namespace) -> Iterator[tuple[int, int]]:
    """Two processes of a namespace talk over its loopback; the pids of server and client."""
    with ExitStack() as stack:
        with namespace.entered():
            server = stack.enter_context(running(SERVES, SHORT))
        assert line(server) == "listening"
        with namespace.entered():
            client = stack.enter_context(running(CONNECTS, SHORT))
        assert line(client) == "done"
        yield server.pid, client.pid
        for process in (server, client):
            process.communicate()


def told_of(tracked: Tracked, namespace: Namespace) -> Rows:
    """The ends of the connections of a namespace."""
    rows: Rows = tracked.told[
        (tracked.told["netns"] == namespace.inode) & (tracked.told["kind"] == Kind.CLOSED)
    ]
    return rows


def test_S16_short_connections_of_a_namespace_join_its_processes(settings: dict[str, Any]) -> None:
    """Both ends are told, with both pids; the same ports in another namespace stay apart."""
    pids = dict[int, tuple[int, int]]()
    with Namespace() as one, Namespace() as other, Tracked(load_config(**settings)) as tracked:
        for namespace in (one, other):
            with short_connections(namespace) as pids[namespace.inode]:
                count = 2 * SHORT
                tracked.until(lambda: len(told_of(tracked, namespace)) == count)  # noqa: B023
        rows = np.concatenate((told_of(tracked, one), told_of(tracked, other)))
        assert tracked.tier == Tier.BTF
    assert repeated(rows) == {}
    partners = find_other_ends(rows)
    assert (partners >= 0).all()
    others = rows[partners]
    assert (others["netns"] == rows["netns"]).all()
    assert (others["local_port"] == rows["peer_port"]).all()
    for inode, (server, client) in pids.items():
        mine = (rows["netns"] == inode) & (rows["role"] == Role.CLIENT)
        assert set(zip(rows["pid"][mine].tolist(), others["pid"][mine].tolist(), strict=True)) == {
            (client, server)
        }
        assert int(mine.sum()) == SHORT


def test_S16_loopback_of_another_namespace_does_not_join(settings: dict[str, Any]) -> None:
    """Of two namespaces with the same ports one end each: no two of them belong together."""
    with Namespace() as one, Namespace() as other, Tracked(load_config(**settings)) as tracked:
        for namespace in (one, other):
            with short_connections(namespace):
                count = 2 * SHORT
                tracked.until(lambda: len(told_of(tracked, namespace)) == count)  # noqa: B023
        clients, servers = told_of(tracked, one), told_of(tracked, other)
    apart = np.concatenate(
        (clients[clients["role"] == Role.CLIENT], servers[servers["role"] == Role.SERVER])
    )
    assert len(apart) == 2 * SHORT
    assert set(apart["local_port"][:SHORT].tolist()) == set(apart["peer_port"][SHORT:].tolist())
    assert (find_other_ends(apart) == -1).all()
    apart["known"] &= ~np.uint16(Group.JOIN)  # as a worse tier has them: without sequence numbers
    assert (find_other_ends(apart) == -1).all()


def test_S17_objects_load_without_kernel_headers(settings: dict[str, Any], crowd: Crowd) -> None:
    """Empty directories lie over all that a compiler would need."""
    script = (
        f"for d in {HEADERS}; do test -d $d || continue; mount -t tmpfs none $d || exit 1; "
        'test -z "$(ls -A $d)" || exit 1; done; exec "$@"'
    )
    with tracking("unshare", "-m", "sh", "-c", script, "sh", **settings, tier="btf") as process:
        crowd.close_all(crowd.open(3))
        found = ask(process, crowd.port, looks=2)
        mounts = Path(f"/proc/{process.pid}/mounts").read_text()
    covered = [path for path in HEADERS.split() if Path(path).is_dir()]
    assert all(f" {Path(path).resolve()} tmpfs " in mounts for path in covered)
    assert (found["tier"], found["opened"], found["closed"]) == ("btf", 6, 6)


def test_S17_nothing_is_compiled(settings: dict[str, Any]) -> None:
    """Not one process is started to open a tier."""
    with Tracked(load_config(**settings)) as tracked:
        shown = subprocess.run(
            ["ps", "--ppid", str(os.getpid()), "-o", "comm="],
            check=False,
            capture_output=True,
            text=True,
        ).stdout.split()
        assert tracked.tier == Tier.BTF
    assert shown == ["ps"]


def test_2577_machine_with_ipv6_turned_off(settings: dict[str, Any]) -> None:
    """Every tier sees its own connection and captures; here in a network namespace."""
    script = (
        "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 && "
        "echo 1 > /proc/sys/net/ipv6/conf/lo/disable_ipv6 && ip link set lo up && "
        '! ip -6 addr | grep -q inet6 && exec "$@"'
    )
    for tier in TIERS:
        command = ("unshare", "-n", "sh", "-c", script, "sh")
        with tracking(*command, **settings, tier=tier) as process:
            assert ask(process, 1, looks=1)["changes"] == ["start"]


@pytest.mark.parametrize("delay_s", [0.0, 0.005, 0.02, 0.05, 0.1, 0.2])
def test_3711_stop_while_the_first_look_is_taken(settings: dict[str, Any], delay_s: float) -> None:
    """From another thread, before, during and after it: no error, and nothing stays open."""
    before = holdings()
    tracker = Tracker(load_config(**settings))

    def run() -> None:
        tracker.open()
        while tracker.wait(0.01):
            tracker.advance()

    with ThreadPoolExecutor(1) as executor:
        if delay_s:
            running_thread = executor.submit(run)
            wait([running_thread], delay_s)
        tracker.stop()
        if not delay_s:
            running_thread = executor.submit(run)
        running_thread.result()
    end = time.monotonic() + PATIENCE_S
    while holdings() != before:  # the kernel still shows a thread that has just ended
        assert time.monotonic() < end, (holdings(), before)
