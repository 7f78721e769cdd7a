"""The procfs tier against sockets of our own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from connscope.capture.procfs.tier import ProcfsTier
from connscope.capture.tier import Losses
from connscope.config import Config
from connscope.kernel.host.clock import boottime_ns
from connscope.kernel.host.network_namespaces import network_namespace
from connscope.row.address import address_text
from connscope.row.columns import NO_UID, Rows
from connscope.row.words import Group, Kind, OwnerEvidence, Protocol, Role, State, Tier
from tests.kernel.namespace import Namespace
from tests.kernel.recorder import comm, pick
from tests.kernel.watched import connect, line, running
from tests.unprivileged import WITHOUT_PRIVILEGES

SOURCES = Path(__file__).parents[3] / "src"
PATIENCE_S = 20


@pytest.fixture
def tier() -> Iterator[ProcfsTier]:
    """In the foreground: a look is a pass."""
    with ProcfsTier(Config()) as tier:
        yield tier


def port_of(held: socket.socket) -> int:
    """The local port."""
    return int(held.getsockname()[1])


def inode_of(held: socket.socket) -> int:
    """As the row's ``socket_inode``."""
    return os.fstat(held.fileno()).st_ino


def shown(rows: Rows, held: socket.socket) -> Any:
    """The only row of a socket of ours."""
    (row,) = rows[rows["socket_inode"] == inode_of(held)]
    return row


def look_until(tier: ProcfsTier, condition: Callable[[Rows], object]) -> Rows:
    """The first look for which the condition holds: a handshake ends in a softirq, which may come
    later than its connect()."""
    end = time.monotonic() + PATIENCE_S
    while not condition(rows := tier.look()):
        assert time.monotonic() < end, f"not seen within {PATIENCE_S} s"
    return rows


def ends(row: Any) -> tuple[str, int, str, int]:
    """Both ends as text and numbers."""
    local, peer = (address_text(row[f"{end}_address"].tobytes()) for end in ("local", "peer"))
    return local, int(row["local_port"]), peer, int(row["peer_port"])


class TestWhatThereIs:
    """Sockets of any kind, with ends, state and owner."""

    def test_both_ends_of_a_connection(self, tier: ProcfsTier, listener: socket.socket) -> None:
        """Each with its process; the file does not say which is the client."""
        client, server = connect(listener)
        with client, server:
            before_ns = boottime_ns()
            rows = tier.look()
            here, there = client.getsockname(), server.getsockname()
            assert ends(shown(rows, client)) == (*here, *there)
            assert ends(shown(rows, server)) == (*there, *here)
            for held in (client, server):
                row = shown(rows, held)
                assert (row["pid"], row["owner_evidence"]) == (os.getpid(), OwnerEvidence.FD_TABLE)
                assert (row["state"], row["role"]) == (State.ESTABLISHED, Role.UNKNOWN)
                assert (row["kind"], row["tier"]) == (Kind.SNAPSHOT, Tier.PROCFS)
                assert (row["uid"], row["netns"]) == (os.geteuid(), network_namespace(os.getpid()))
                assert before_ns <= row["time_ns"] <= boottime_ns()
                assert comm(row) == Path("/proc/self/comm").read_bytes().removesuffix(b"\n")

    def test_only_what_a_file_says_is_known(
        self, tier: ProcfsTier, listener: socket.socket
    ) -> None:
        """Ends are the truth, identity and owner an estimate, the rest is not known."""
        client, server = connect(listener)
        with client, server:
            row = shown(tier.look(), client)
        assert row["known"] == Group.IDENTITY | Group.ENDS | Group.OWNER
        assert (row["exact"], row["socket_id"]) == (Group.ENDS, 0)

    def test_listener_has_its_queue(self, tier: ProcfsTier, listener: socket.socket) -> None:
        """Three connections wait; how many may is in no file."""
        with ExitStack() as clients:
            for _ in range(3):
                clients.enter_context(socket.create_connection(listener.getsockname()))
            rows = look_until(tier, lambda rows: shown(rows, listener)["queue_length"] == 3)
        row = shown(rows, listener)
        assert (row["state"], row["role"], row["queue_length"]) == (State.LISTEN, Role.SERVER, 3)
        assert row["known"] & Group.QUALITY

    def test_connection_that_nobody_accepted(
        self, tier: ProcfsTier, listener: socket.socket
    ) -> None:
        """All that wait are there, though none has a file: inode 0 is not one socket."""
        with ExitStack() as clients:
            for _ in range(3):
                clients.enter_context(socket.create_connection(listener.getsockname()))
            port = port_of(listener)
            rows = look_until(
                tier,
                lambda rows: len(pick(rows, port, Kind.SNAPSHOT, socket_inode=0)) == 3,
            )
            rows = pick(rows, port, Kind.SNAPSHOT, socket_inode=0)
        assert len(rows) == len(np.unique(rows["connection_id"])) == 3
        assert not (rows["known"] & Group.OWNER).any()

    def test_id_is_the_same_before_and_after_accept(
        self, tier: ProcfsTier, listener: socket.socket
    ) -> None:
        """Though the socket has an inode only then."""
        with socket.create_connection(listener.getsockname()) as client:
            port = port_of(client)
            rows = look_until(
                tier, lambda rows: len(pick(rows, port, Kind.SNAPSHOT, peer_port=port))
            )
            (before,) = pick(rows, port, Kind.SNAPSHOT, peer_port=port)
            with listener.accept()[0] as accepted:
                after = shown(tier.look(), accepted)
        assert before["socket_inode"] == 0
        assert before["connection_id"] == after["connection_id"] != 0

    def test_ipv6(self, tier: ProcfsTier) -> None:
        """All 16 bytes of an address."""
        with (
            socket.create_server(("::1", 0), family=socket.AF_INET6) as server,
            socket.create_connection(server.getsockname()[:2]) as client,
        ):
            row = shown(tier.look(), client)
            wanted = (*client.getsockname()[:2], *server.getsockname()[:2])
        assert (ends(row), row["family"]) == (wanted, 6)

    def test_v4_mapped_is_ipv4(self, tier: ProcfsTier) -> None:
        """A socket of both families that an IPv4 client has connected to."""
        with (
            socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server,
            socket.create_connection(("127.0.0.1", port_of(server))) as client,
            server.accept()[0] as accepted,
        ):
            rows = tier.look()
            wanted = ("127.0.0.1", port_of(server), "127.0.0.1", port_of(client))
            row = shown(rows, accepted)
            assert (ends(row), row["family"]) == (wanted, 4)
            assert shown(rows, server)["family"] == 6

    @pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
    def test_udp(self, tier: ProcfsTier, address: str) -> None:
        """Connected or not."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with ExitStack() as stack:
            bound, connected = (
                stack.enter_context(socket.socket(family, socket.SOCK_DGRAM)) for _ in range(2)
            )
            bound.bind((address, 0))
            connected.connect(bound.getsockname()[:2])
            rows = tier.look()
            one, other = shown(rows, bound), shown(rows, connected)
            assert ends(other) == (*connected.getsockname()[:2], *bound.getsockname()[:2])
            assert (one["local_port"], one["peer_port"]) == (port_of(bound), 0)
        for row in (one, other):
            assert (row["protocol"], row["pid"]) == (Protocol.UDP, os.getpid())

    def test_other_namespace(self, tier: ProcfsTier) -> None:
        """One that has a process is read, and told apart by its number."""
        with Namespace() as namespace, namespace.listener("127.0.0.1") as held:
            with namespace.entered():
                sleeper = subprocess.Popen(["sleep", "60"])
            try:
                row = shown(tier.look(), held)
            finally:
                sleeper.kill()
                sleeper.wait()
            assert (row["netns"], row["pid"]) == (namespace.inode, os.getpid())
        assert tier.last.namespaces >= 2

    def test_minisockets(self, tier: ProcfsTier) -> None:
        """TIME_WAIT is no socket: it is in no look, and nobody's."""
        with Namespace() as namespace:
            with namespace.listener("127.0.0.1") as held, namespace.entered():
                port = port_of(held)
                client, server = connect(held)
                client.close()
                server.close()
                sleeper = subprocess.Popen(["sleep", "60"])
            try:
                here = {"netns": namespace.inode}
                look_until(tier, lambda rows: not len(pick(rows, port, Kind.SNAPSHOT, **here)))
                (row,) = pick(tier.minisockets(), port, Kind.SNAPSHOT, **here)
            finally:
                sleeper.kill()
                sleeper.wait()
        assert (row["state"], row["uid"]) == (State.TIME_WAIT, NO_UID)
        assert row["known"] == Group.ENDS


class TestOwners:
    """Which process is named."""

    def test_process_with_two_sockets(self, tier: ProcfsTier) -> None:
        """Both are its own; start time and name are those of the process."""
        program = """
held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(one.getsockname()[1] for one in held), flush=True)
sys.stdin.read()
"""
        with running(program) as process:
            ports = [int(word) for word in line(process).split()]
            rows = tier.look()
            process.communicate("")
        for port in ports:
            (row,) = pick(rows, port, Kind.SNAPSHOT)
            assert row["pid"] == process.pid
            assert 0 < boottime_ns() - row["process_start_ns"] < PATIENCE_S * 10**9

    def test_socket_shared_after_fork(self, tier: ProcfsTier) -> None:
        """The lowest pid counts, and the next one when that has let go."""
        program = """
held = socket.create_server(("127.0.0.1", 0))
child = os.fork()
if child:
    print(held.getsockname()[1], child, flush=True)
    sys.stdin.readline()
    held.close()
    print("closed", flush=True)
    sys.stdin.read()
    os.kill(child, 9)
else:
    time.sleep(60)
"""
        with running(program) as process:
            port, child = (int(word) for word in line(process).split())
            (row,) = pick(tier.look(), port, Kind.SNAPSHOT)
            assert row["pid"] == min(process.pid, child)
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
            line(process)
            (row,) = pick(tier.look(), port, Kind.SNAPSHOT)
            assert row["pid"] == child
            process.communicate("")

    @pytest.mark.parametrize("name", ["two words", "a) R 1 (b", "two\nlines"])
    def test_name_of_any_characters(self, tier: ProcfsTier, name: str) -> None:
        """Spaces, brackets and newlines."""
        program = """
open("/proc/self/comm", "w").write(sys.argv[1])
held = socket.create_server(("127.0.0.1", 0))
print(held.getsockname()[1], flush=True)
sys.stdin.read()
"""
        with running(program, name) as process:
            port = int(line(process))
            (row,) = pick(tier.look(), port, Kind.SNAPSHOT)
            process.communicate("")
        assert (comm(row), row["pid"]) == (name.encode(), process.pid)

    def test_socket_that_is_new_has_its_owner_at_once(self, tier: ProcfsTier) -> None:
        """Also if it is not yet time to compare all fd tables."""
        tier.look()
        with socket.create_server(("127.0.0.1", 0)) as held:
            assert shown(tier.look(), held)["pid"] == os.getpid()

    def test_second_look_reads_little(self, tier: ProcfsTier, listener: socket.socket) -> None:
        """Only the descriptors that led to sockets; the rows are the same."""
        with ExitStack() as stack:
            for _ in range(200):
                stack.enter_context(Path("/dev/null").open("rb"))
            first, first_fds = shown(tier.look(), listener), tier.last.fds
            second = shown(tier.look(), listener)
        assert (first["connection_id"], first["pid"]) == (second["connection_id"], second["pid"])
        assert first["connection_id"] != 0
        assert tier.last.fds <= first_fds - 200

    def test_unprivileged(self, listener: socket.socket) -> None:
        """Its own sockets have an owner, those of others have none, and it says so."""
        program = """
import json, os, socket, sys
from connscope.capture.procfs.tier import ProcfsTier
from connscope.config import Config
own = socket.create_server(("127.0.0.1", 0))
with ProcfsTier(Config()) as tier:
    rows = tier.look()
found = {port: int(rows["pid"][rows["local_port"] == port][0])
         for port in (own.getsockname()[1], int(sys.argv[1]))}
print(json.dumps([os.getpid(), *found.values(), *tier.limits]))
"""
        said = subprocess.run(
            [*WITHOUT_PRIVILEGES, sys.executable, "-c", program, str(port_of(listener))],
            check=True,
            stdout=subprocess.PIPE,
            timeout=PATIENCE_S,
            env={"PYTHONPATH": str(SOURCES)},
        ).stdout
        pid, own, other, *limits = json.loads(said)
        assert (own, other) == (pid, 0)
        assert any("have no owner: CAP_SYS_PTRACE" in limit for limit in limits)

    def test_more_privileged_process_of_the_same_user_is_refused(self):
        """It lets its descriptors be listed, and not where they lead: not a process without any."""
        program = """
import os
from connscope.kernel.procfs.fd_walk import walk_fds
from connscope.kernel.procfs.pace import Pace
print(*(held.refused for held in walk_fds([os.getppid(), os.getpid()], Pace(1 << 20, 0))))
"""
        said = subprocess.run(
            [*WITHOUT_PRIVILEGES, sys.executable, "-c", program],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            timeout=PATIENCE_S,
            env={"PYTHONPATH": str(SOURCES)},
        ).stdout
        assert said.split() == ["True", "False"]


class TestLife:
    """Open, background, close."""

    def test_no_events(self, tier: ProcfsTier, listener: socket.socket) -> None:
        """There are none, whatever happens; waiting is over when its time is."""
        client, server = connect(listener)
        with client, server:
            assert (len(tier.events()), tier.wait(0), tier.kinds) == (0, False, frozenset())
            assert tier.losses() == Losses()

    def test_background_finds_the_same(self, listener: socket.socket) -> None:
        """The first pass begins at once; a look before its end is empty."""
        with ProcfsTier(Config(), background=True) as tier:
            end = time.monotonic() + PATIENCE_S
            while not tier.passes:
                assert time.monotonic() < end
                tier.wait(0.01)
            assert shown(tier.look(), listener)["pid"] == os.getpid()
            assert tier.last.fds > 0

    def test_rows_of_a_look_are_its_own(self, listener: socket.socket) -> None:
        """Who changes them does not change those of the next look of the same pass."""
        with ProcfsTier(Config(), background=True) as tier:
            while not tier.passes:
                tier.wait(0.01)
            tier.look()["pid"] = 1
            assert shown(tier.look(), listener)["pid"] == os.getpid()

    @pytest.mark.parametrize("background", [False, True])
    def test_close_from_another_thread_ends_a_pass(self, *, background: bool) -> None:
        """A pass that would take hours; closing twice is fine."""
        config = Config(procfs_fds_per_tick=1, procfs_period_min_s=60, procfs_period_max_s=60)
        tier = ProcfsTier(config, background=background)
        tier.open()
        assert tier._pace
        tier._pace.tick_s = 3600
        ended = list[BaseException]()

        def look() -> None:
            try:
                tier.look()
            except RuntimeError as error:
                ended.append(error)

        looking = threading.Thread(target=look)
        looking.start()
        end = time.monotonic() + PATIENCE_S
        while not tier._pace.fds:
            assert time.monotonic() < end
            tier.wait(0.001)
        closing = [threading.Thread(target=tier.close) for _ in range(2)]
        for thread in closing:
            thread.start()
        for thread in (*closing, looking):
            thread.join(PATIENCE_S)
            assert not thread.is_alive()
        tier.close()
        assert len(ended) == (0 if background else 1)
        with pytest.raises(RuntimeError):
            tier.look()

    def test_opened_again(self, listener: socket.socket) -> None:
        """After it was closed it works as before."""
        tier = ProcfsTier(Config())
        for _ in range(2):
            with tier:
                assert shown(tier.look(), listener)["pid"] == os.getpid()
