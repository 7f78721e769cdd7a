"""Who is said to hold a socket, as the fd tables have it; and sockets that nobody holds."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from connscope.capture.btf.tier import BtfTier
from connscope.config import Config
from connscope.row.words import OwnerEvidence, State
from tests.kernel.recorder import comm
from tests.kernel.watched import connect, line, running, shown, shown_ends, started

PROVEN = (OwnerEvidence.FD_TABLE, OwnerEvidence.ACCEPT)
"""By the fd table, or where accept can be watched by that."""

EACH_LOOK = Config(owner_check_interval_s=0)
PATIENCE_S = 20


@pytest.fixture
def tier() -> Iterator[BtfTier]:
    """A tier that compares owners with the fd tables in each look."""
    with BtfTier(EACH_LOOK) as opened:
        yield opened


@pytest.fixture
def unaware() -> Iterator[BtfTier]:
    """A tier that no event tells who accepts."""
    with BtfTier(Config(accept_owner="listener")) as opened:
        yield opened


def holds(process: Path, inode: int) -> bool:
    """Whether a process has a socket in its fd table."""
    try:
        links = [entry.readlink().name for entry in (process / "fd").iterdir()]
    except OSError:
        return False
    return f"socket:[{inode}]" in links


class TestOwners:
    """Who is said to hold a socket, as the fd tables have it."""

    def test_shared_after_fork_stays_with_who_made_it(
        self, tier: BtfTier, listener: socket.socket
    ) -> None:
        """Both hold it; the one that connected is the owner."""
        client, server = connect(listener)
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(writing)
            os.read(reading, 1)
            os._exit(0)
        with client, server:
            out, _ = shown_ends(tier, listener.getsockname()[1])
            os.close(writing)
            os.waitpid(child, 0)
        os.close(reading)
        assert (out["pid"], out["owner_evidence"]) == (os.getpid(), OwnerEvidence.CONNECT)

    def test_passed_on_belongs_to_who_got_it(self, tier: BtfTier, listener: socket.socket) -> None:
        """The maker has closed its descriptor: the process that holds it now is the owner."""
        client, server = connect(listener)
        with (
            server,
            running("print(flush=True)\nsys.stdin.read()", pass_fds=[client.fileno()]) as other,
        ):
            line(other)
            client.close()
            out, _ = shown_ends(tier, listener.getsockname()[1])
            other.communicate()
        assert (out["pid"], out["owner_evidence"]) == (other.pid, OwnerEvidence.FD_TABLE)

    def test_dead_owner_leaves_it_to_the_lowest_holder(
        self, tier: BtfTier, listener: socket.socket
    ) -> None:
        """The one that connected is gone; of two children that inherited it the first is shown."""
        program = """
client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
for _ in range(2):
    if not os.fork():
        sys.stdin.read()
        os._exit(0)
    print("forked", flush=True)
os._exit(0)
"""
        port = listener.getsockname()[1]
        with running(program, port) as parent:
            server = listener.accept()[0]
            assert [line(parent), line(parent)] == ["forked", "forked"]
            os.waitid(os.P_PID, parent.pid, os.WEXITED | os.WNOWAIT)
            out, _ = shown_ends(tier, port)
            children = [
                int(entry.name)
                for entry in Path("/proc").iterdir()
                if entry.name.isdecimal() and holds(entry, out["socket_inode"])
            ]
            server.close()
        assert len(children) == 2
        assert (out["pid"], out["owner_evidence"]) == (min(children), OwnerEvidence.FD_TABLE)

    def test_exec_changes_the_name(self, tier: BtfTier, listener: socket.socket) -> None:
        """The process is the same and still the owner; it is called as it is called now."""
        program = """
client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
os.set_inheritable(client.fileno(), True)
os.execvp("cat", ["cat"])
"""
        port = listener.getsockname()[1]
        with running(program, port) as process:
            server = listener.accept()[0]
            path = Path(f"/proc/{process.pid}/comm")
            while path.read_text() != "cat\n":
                assert process.poll() is None
            out, _ = shown_ends(tier, port)
            server.close()
            process.communicate()
        assert (out["pid"], comm(out), out["owner_evidence"]) == (
            process.pid,
            b"cat",
            OwnerEvidence.CONNECT,
        )

    def test_worker_of_a_prefork_server_owns_what_it_accepted(self, tier: BtfTier) -> None:
        """The parent listens, a child accepts: the look names the child, at once."""
        program = """
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
if not os.fork():
    kept = server.accept()
    print(os.getpid(), flush=True)
    sys.stdin.read()
    os._exit(0)
os.wait()
"""
        with running(program) as parent:
            port = int(line(parent))
            with socket.create_connection(("127.0.0.1", port)):
                worker = int(line(parent))
                _, incoming = shown_ends(tier, port)
            parent.communicate()
        assert (incoming["pid"], incoming["owner_evidence"] in PROVEN) == (worker, True)

    def test_stranger_is_looked_for_before_the_interval_is_over(
        self, unaware: BtfTier, listener: socket.socket
    ) -> None:
        """What no event has told an owner of is no reason to wait five seconds."""
        unaware.look()
        end_s = time.monotonic() + Config().owner_check_interval_s - 1
        client, server = connect(listener)
        with client, server:
            evidence = OwnerEvidence.LISTENER
            while evidence not in PROVEN:
                assert time.monotonic() < end_s
                _, incoming = shown_ends(unaware, listener.getsockname()[1])
                evidence = incoming["owner_evidence"]
        assert incoming["pid"] == os.getpid()

    def test_who_just_came_is_no_stranger_yet(
        self, unaware: BtfTier, listener: socket.socket
    ) -> None:
        """On a busy server each look meets one, and none of them is worth a walk."""
        unaware.look()

        def is_left_alone() -> bool:
            client, server = connect(listener)
            with client, server:
                _, incoming = shown_ends(unaware, listener.getsockname()[1])
            return bool(incoming["owner_evidence"] == OwnerEvidence.LISTENER)

        # Not each time: a look may come late, or meet somebody else's that is a stranger.
        assert any(is_left_alone() for _ in range(50))


class TestWithoutFdTable:
    """Sockets that are alive and in nobody's fd table."""

    def test_descriptor_in_flight(self, tier: BtfTier, listener: socket.socket) -> None:
        """A socket that waits inside another one's queue (SCM_RIGHTS) keeps the owner it had."""
        near, far = socket.socketpair(socket.AF_UNIX)
        client, server = connect(listener)
        with near, far, server:
            socket.send_fds(near, [b"."], [client.fileno()])
            client.close()
            flying, _ = shown_ends(tier, listener.getsockname()[1])
            assert (flying["pid"], flying["owner_evidence"]) == (
                os.getpid(),
                OwnerEvidence.CONNECT,
            )
            with BtfTier(Config()) as younger:
                flying, _ = shown_ends(younger, listener.getsockname()[1])
        assert (flying["state"], flying["pid"]) == (State.ESTABLISHED, 0)

    def test_direct_descriptor_of_io_uring(self, tier: BtfTier, listener: socket.socket) -> None:
        """It has no number in the fd table; the event told who connected it."""
        port = listener.getsockname()[1]
        with started("uring_direct", "connect", port) as process:
            server = listener.accept()[0]
            line(process)
            direct, _ = shown_ends(tier, port)
            with BtfTier(Config()) as younger:
                older, _ = shown_ends(younger, port)
            server.close()
            process.communicate()
        assert (direct["pid"], direct["owner_evidence"]) == (process.pid, OwnerEvidence.CONNECT)
        assert (older["connection_id"], older["pid"]) == (direct["connection_id"], 0)

    def test_what_io_uring_accepts_has_an_owner(self, tier: BtfTier) -> None:
        """No accept system call is made."""
        with started("uring_direct", "accept") as process:
            port = int(line(process))
            with socket.create_connection(("127.0.0.1", port)):
                line(process)
                _, incoming = shown_ends(tier, port)
            process.communicate()
        assert incoming["pid"] == process.pid

    def test_namespace_without_a_process(self) -> None:
        """Its sockets are held from elsewhere, its orphan by nobody; it is only mounted."""
        name = f"connscope-{os.getpid()}"
        subprocess.run(["ip", "netns", "add", name], check=True)
        try:
            path, home = Path("/run/netns", name), os.open("/proc/self/ns/net", os.O_RDONLY)
            in_it = ["ip", "netns", "exec", name]
            subprocess.run([*in_it, "ip", "link", "set", "lo", "up"], check=True)
            program = """
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
child = server.accept()[0]
client.setblocking(False)
try:
    while client.send(b"x" * 65536):
        pass
except BlockingIOError:
    client.close()
assert ctypes.CDLL(None).setns(int(sys.argv[1]), 0x40000000) == 0
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""
            command = [
                *in_it,
                sys.executable,
                "-c",
                "import ctypes, socket, sys\n" + program,
                f"{home}",
            ]
            with subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                pass_fds=[home],
            ) as holder:
                port = int(line(holder))
                with BtfTier(Config()) as tier:
                    rows = shown(tier, port, netns=path.stat().st_ino)
                holder.communicate()
        finally:
            subprocess.run(["ip", "netns", "delete", name], check=True)
        os.close(home)
        assert sorted(rows["state"].tolist()) == [
            State.ESTABLISHED,
            State.FIN_WAIT1,
            State.LISTEN,
        ]
        assert rows["pid"][rows["state"] == State.ESTABLISHED].tolist() == [holder.pid]


MPTCP = 262


@pytest.mark.parametrize("listens", ["before", "after"])
@pytest.mark.parametrize("protocol", [MPTCP, 0], ids=["mptcp", "plain"])
def test_mptcp_listener(listens: str, protocol: int) -> None:
    """Its connections are owned by the process, from before the start and after, whoever calls."""
    with ExitStack() as stack:
        server = socket.socket(socket.AF_INET, socket.SOCK_STREAM, MPTCP)
        stack.enter_context(server)
        server.bind(("127.0.0.1", 0))
        if listens == "before":
            server.listen()
        tier = stack.enter_context(BtfTier(EACH_LOOK))
        server.listen()
        client = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM, protocol))
        client.connect(server.getsockname())
        stack.enter_context(server.accept()[0])
        rows = shown(tier, server.getsockname()[1])
    assert sorted(rows["state"].tolist()) == [State.ESTABLISHED] * 2 + [State.LISTEN]
    assert rows["pid"].tolist() == [os.getpid()] * 3
    assert set(rows["protocol"].tolist()) == {socket.IPPROTO_TCP}
