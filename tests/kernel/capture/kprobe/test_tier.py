"""What only the kprobe tier does: tcptracer-bpf's own script, servers that sat in accept before it,
and nothing that is left behind."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import numpy as np
import pytest

from connscope.capture.kprobe.offsets import EXTRA, Offsets, offsets_of_btf
from connscope.capture.kprobe.tier import KprobeTier
from connscope.capture.kprobe.watchers import threads_in_accept
from connscope.capture.objects import object_path
from connscope.config import Config
from connscope.errors import NotSupportedError
from connscope.kernel import BpfMap, BpfObject
from connscope.kernel.kprobes import Kprobes
from connscope.row.words import Failure, Kind, OwnerEvidence, Role
from tests.kernel.capture.test_failures import denied_connect, free_port
from tests.kernel.recorder import PATIENCE_S, Recorder, describe, pick
from tests.kernel.tiers_here import HAS_KPROBES

REFUSED = 1200
"""As many as tcptracer-bpf's script: its maps have 1,024 entries."""

BLOCKED = 25
WHOLE_LIFE = (
    *(Kind.LISTENING, Kind.OPENED, Kind.OPENED, Kind.ACCEPTED),
    *(Kind.CLOSED, Kind.CLOSED, Kind.UNLISTENED),
)
"""Of a server that serves one connection, and of its client."""

CAPTURE = """
import signal
from connscope.capture.kprobe.tier import KprobeTier
from connscope.capture.objects import object_path
from connscope.config import Config
with KprobeTier(Config()):
    print("open", flush=True)
    signal.pause()
"""


class Server:
    """A process that serves one connection and ends. Forked: many are made."""

    def __init__(self, stack: ExitStack) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = int(listener.getsockname()[1])
            self.pid = os.fork()
            if not self.pid:
                try:
                    listener.accept()[0].recv(1)
                finally:
                    os._exit(0)
        stack.callback(self.end)
        until(lambda: self.pid in threads_in_accept())

    def serve(self) -> None:
        """Connects, and waits until it has ended."""
        with socket.create_connection(("127.0.0.1", self.port)) as client:
            client.shutdown(socket.SHUT_WR)
            os.waitpid(self.pid, 0)
        self.pid = 0

    def end(self) -> None:
        """Kills it, wherever it is."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.pid = 0


def until(is_so: Callable[[], object]) -> None:
    """Waits for it."""
    end = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def refuse() -> None:
    """Connects to a port on which nobody listens."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        for _ in range(REFUSED):
            with socket.socket() as client:
                assert client.connect_ex(nobody.getsockname()) == errno.ECONNREFUSED


def entries(of: BpfMap) -> int:
    """How many there are."""
    return len(list(of))


def sockets_known(tier: KprobeTier) -> set[bytes]:
    """The keys of what the tier remembers."""
    return set(tier.map("known_sockets"))


def only_guessable() -> Offsets:
    """Those of BTF without what BTF alone tells."""
    told = offsets_of_btf().at
    return Offsets({name: told[name] for name in told.keys() - EXTRA.keys()}, "guess")


@pytest.mark.parametrize("name", ["kprobe", "kprobe_calls", "kprobe_look"])
@pytest.mark.parametrize("offsets", [offsets_of_btf, only_guessable])
@pytest.mark.parametrize("through_perf", [False, True], ids=["ring", "perf"])
def test_programs_load(name: str, offsets: Callable[[], Offsets], through_perf: bool):
    """With all that they may know and with no more than a guess tells, on kernels with a ring
    buffer and without; no kprobes are needed."""
    with BpfObject(object_path(name)) as loaded:
        loaded.set(**offsets().knobs, rows_through_perf=through_perf)
        loaded.maps["rows" if through_perf else "perf_rows"].leave_out()
        loaded.load()


if HAS_KPROBES:

    @pytest.fixture
    def processes() -> Iterator[ExitStack]:
        """Ends them."""
        with ExitStack() as stack:
            yield stack

    def test_script_of_tcptracer(processes: ExitStack):
        """1,200 refused connects, a server that was in accept before and one that was not: two
        connects, two accepts, four closes, and nothing else of those ports."""
        before = Server(processes)
        with KprobeTier(Config()) as tier:
            recorder = Recorder(tier)  # type: ignore[arg-type] # it is a tier like any other
            refuse()
            after = Server(processes)
            pids = before.pid, after.pid
            for server in (before, after):
                server.serve()
            for server, pid in zip((before, after), pids, strict=True):
                rows = recorder.of_port(server.port, Kind.CLOSED, count=2)
                rows = pick(recorder.rows, server.port, *Kind)
                kinds = sorted(rows["kind"][rows["peer_port"] > 0].tolist())
                assert kinds == [Kind.OPENED] * 2 + [Kind.ACCEPTED] + [Kind.CLOSED] * 2
                accepted = pick(rows, server.port, Kind.ACCEPTED)
                assert accepted["pid"].tolist() == [pid], describe(rows)
                closed = pick(rows, server.port, Kind.CLOSED, role=Role.SERVER)
                assert closed["owner_evidence"].tolist() == [OwnerEvidence.ACCEPT]
            assert (recorder.rows["kind"] == Kind.FAILED).sum() == REFUSED
            assert not tier.losses().rows

    def test_refused_connects_leave_nothing(processes: ExitStack):
        """Neither in the map of sockets nor in that of connects."""
        with KprobeTier(Config()) as tier:
            known = sockets_known(tier)
            refuse()
            assert sockets_known(tier) <= known
            assert entries(tier.map("attempts")) == 0

    def test_many_that_were_in_accept_before(processes: ExitStack):
        """Each is seen with the process that accepted, and then nobody is watched any more."""
        servers = [Server(processes) for _ in range(BLOCKED)]
        with KprobeTier(Config()) as tier:
            recorder = Recorder(tier)  # type: ignore[arg-type] # the same
            assert entries(tier.map("watched_threads")) >= BLOCKED
            pids = [server.pid for server in servers]
            for server in servers:
                server.serve()
            for server, pid in zip(servers, pids, strict=True):
                (accepted,) = recorder.of_port(server.port, Kind.ACCEPTED)
                assert accepted["pid"] == pid
            assert entries(tier.map("watched_threads")) == 0
            tier.look()
            with Kprobes() as kprobes:
                assert "fd_install" not in kprobes.defined()

    def test_who_dies_in_accept_is_watched_no_more(processes: ExitStack):
        """Killed while the call goes on."""
        servers = [Server(processes) for _ in range(BLOCKED)]
        with KprobeTier(Config()) as tier:
            for server in servers:
                server.end()
            until(lambda: entries(tier.map("watched_threads")) == 0)

    def test_nothing_is_left_of_a_tier(processes: ExitStack):
        """Neither when it is closed nor when its process is killed and another one comes."""
        with KprobeTier(Config()):
            pass
        command = [sys.executable, "-c", CAPTURE]
        process = processes.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
        assert process.stdout
        assert process.stdout.readline() == b"open\n"
        with Kprobes() as kprobes:
            assert f"connscope_{process.pid}_" in kprobes.defined()
        process.send_signal(signal.SIGKILL)
        process.wait()
        with Kprobes() as kprobes:
            assert "connscope_" not in kprobes.defined()

    def test_look_in_a_pid_namespace(monkeypatch: pytest.MonkeyPatch):
        """There the kernel calls our thread by another number, which is found out."""
        monkeypatch.setattr("connscope.capture.kprobe.look.in_initial_pid_namespace", lambda: False)
        with socket.create_server(("127.0.0.1", 0)) as listener, KprobeTier(Config()) as tier:
            (row,) = pick(tier.look(), listener.getsockname()[1], Kind.SNAPSHOT)
            assert (row["pid"], row["role"]) == (os.getpid(), Role.SERVER)

    def test_connect_that_finds_no_way(recorder_of_kprobe: Recorder):
        """With what connect() said, of IPv4, IPv6 and v4-mapped addresses."""
        for family, address, told in (
            (socket.AF_INET, "240.0.0.1", 4),
            (socket.AF_INET6, "::ffff:240.0.0.1", 4),
            (socket.AF_INET6, "2001:db8::1", 6),
        ):
            with socket.socket(family) as client:
                error = client.connect_ex((address, 4713))
            assert error
            row = recorder_of_kprobe.one(4713, Kind.FAILED, family=told)
            assert (row["error"], row["pid"]) == (error, os.getpid())
            recorder_of_kprobe.rows = recorder_of_kprobe.rows[:0]

    def test_connect_that_a_cgroup_denies(recorder_of_kprobe: Recorder):
        """The kernel asks its programs before the call that connects begins."""
        port = free_port()
        child = denied_connect(port)
        row = recorder_of_kprobe.one(port, Kind.FAILED)
        assert (row["failure"], row["error"], row["pid"]) == (Failure.DENIED, errno.EPERM, child)

    def test_rows_of_all_processors_come_in_order(monkeypatch: pytest.MonkeyPatch):
        """Each writes into its own perf buffer; a connection opens, is accepted and closes."""
        monkeypatch.setattr("connscope.capture.kprobe.tier.has_ring_buffers", lambda: False)
        with KprobeTier(Config()) as tier, ExitStack() as stack:
            recorder = Recorder(tier)  # type: ignore[arg-type] # the same
            servers = [Server(stack) for _ in range(BLOCKED)]
            for cpu, server in enumerate(servers):
                os.sched_setaffinity(server.pid, {cpu % (os.cpu_count() or 1)})
            for server in servers:
                server.serve()
            for server in servers:
                recorder.of_port(server.port, Kind.UNLISTENED)
                recorder.of_port(server.port, Kind.CLOSED, count=2)
                kinds = pick(recorder.rows, server.port, *Kind)["kind"].tolist()
                assert sorted(kinds) == sorted(WHOLE_LIFE)
            assert (np.diff(recorder.rows["time_ns"].astype(np.int64)) >= 0).all()
            assert not tier.losses().rows

    @pytest.fixture(params=["btf", "guess", "perf"])
    def recorder_of_kprobe(
        request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[Recorder]:
        """A tier that has its offsets from BTF, one that has only those that are guessed, and one
        without a ring buffer."""
        if request.param == "perf":
            monkeypatch.setattr("connscope.capture.kprobe.tier.has_ring_buffers", lambda: False)
        if request.param == "guess":
            monkeypatch.setattr(
                "connscope.capture.kprobe.tier.find_offsets", lambda _: only_guessable()
            )
        with KprobeTier(Config()) as tier:
            yield Recorder(tier)  # type: ignore[arg-type] # the same

else:

    def test_kernel_without_kprobes_is_refused():
        """With the reason, before anything is loaded."""
        with (
            pytest.raises(NotSupportedError, match="no kprobes"),
            KprobeTier(Config()),
        ):
            pass
