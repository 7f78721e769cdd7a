"""``connscope list`` as people run it."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import nanoarrow as na  # type: ignore[import-untyped] # it ships no types
import pytest

from tests.kernel.namespace import Namespace, NamespacePair
from tests.unprivileged import WITHOUT_PRIVILEGES

CONNSCOPE = [sys.executable, "-m", "connscope.cli"]
PATIENCE_S = 20
STATES = {
    "LISTEN": "listen",
    "ESTAB": "established",
    "SYN-SENT": "syn_sent",
    "SYN-RECV": "syn_recv",
    "FIN-WAIT-1": "fin_wait1",
    "FIN-WAIT-2": "fin_wait2",
    "TIME-WAIT": "time_wait",
    "CLOSE-WAIT": "close_wait",
    "LAST-ACK": "last_ack",
    "CLOSING": "closing",
}
SERVICE, OTHER_SERVICE = 8080, 9090
NOBODY = "10.77.0.99"
"""An address of the network where nobody answers."""


def listed(*arguments: str, **environment: str) -> str:
    """What a list prints."""
    finished = subprocess.run(
        [*CONNSCOPE, "list", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        env=os.environ | environment,
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout


def objects(*arguments: str) -> list[dict[str, Any]]:
    """The objects of ``-o json``."""
    return [json.loads(line) for line in listed("-o", "json", *arguments).splitlines()]


@contextmanager
def process(comm: bytes, work: Callable[[], object], place: Namespace) -> Iterator[int]:
    """A process of that name that lives in the namespace and keeps what it made; gives its pid."""
    ready, say = os.pipe()
    child = os.fork()
    if not child:
        with suppress(BaseException):
            Path("/proc/self/comm").write_bytes(comm)
            with place.entered():
                kept = work()  # noqa: F841 - sockets stay open as long as somebody has them
                os.write(say, b"!")
                signal.pause()
        os._exit(1)
    os.close(say)
    try:
        assert os.read(ready, 1), "the process could not do its work"
        yield child
    finally:
        os.close(ready)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def ends(address: str) -> tuple[str, str]:
    """Address and port of ss."""
    host, _, port = address.rpartition(":")
    return host.strip("[]").removeprefix("::ffff:").replace("*", "0.0.0.0"), port.replace("*", "0")


def sockets_of_ss(place: Namespace) -> set[tuple[Any, ...]]:
    """State, both ends and holder of every TCP socket that ss finds in the namespace."""
    found = set()
    for line in place.run("ss -tanpH").splitlines():
        state, _, _, local, peer, *holder = line.split(None, 5)
        pids = [int(pid) for pid in re.findall(r"pid=(\d+)", " ".join(holder))]
        found.add((STATES[state], *ends(local), *ends(peer), min(pids, default=None)))
    return found


def sockets_of_list(place: Namespace) -> set[tuple[Any, ...]]:
    """The same, as connscope lists them."""
    return {
        (
            each["state"],
            each["local_address"],
            str(each["local_port"]),
            each["peer_address"],
            str(each["peer_port"]),
            None if each.get("owner_evidence") == "listener" else each.get("pid"),
        )
        for each in objects("--all", "--netns", str(place.inode))
    }


class Machine:
    """Two namespaces with sockets in many states, and the processes that hold them."""

    def __init__(self, pair: NamespacePair) -> None:
        self.pair = pair
        self.address = pair.left_address

    def serve(self) -> list[socket.socket]:
        """Listeners, an accepted connection, and some that wait to be accepted."""
        return [
            socket.create_server((self.address, SERVICE), backlog=8),
            socket.create_server(("127.0.0.1", OTHER_SERVICE), backlog=5),
            socket.create_server(("::", SERVICE), family=socket.AF_INET6, backlog=3),
        ]

    def connect(self) -> list[socket.socket]:
        """Connections that are open, half closed, closed, and that nobody answers."""
        made = [socket.create_connection((self.address, SERVICE)) for _ in range(4)]
        made.append(socket.create_connection((self.pair.left_address6, SERVICE)))
        made[0].shutdown(socket.SHUT_WR)
        made.pop(1).close()
        unanswered = socket.socket()
        unanswered.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 100)
        unanswered.setblocking(False)
        unanswered.connect_ex((NOBODY, 443))
        return [*made, unanswered]


@pytest.fixture(scope="module")
def machine() -> Iterator[tuple[NamespacePair, int, int]]:
    """The namespaces, the pid of the server on the left and that of the client on the right."""
    with NamespacePair() as pair:
        made = Machine(pair)
        # Else its address would be asked for in vain, and the attempt be over after three seconds.
        pair.right.run(f"ip neigh add {NOBODY} lladdr 02:00:00:00:00:99 dev veth0 nud permanent")
        with (
            process(b"server (a b)", made.serve, pair.left) as server,
            process(b"\x1b[31mred", made.connect, pair.right) as client,
        ):
            yield pair, server, client


@pytest.mark.parametrize("side", ["left", "right"])
def test_has_what_ss_has(machine: tuple[NamespacePair, int, int], side: str) -> None:
    """Every socket of a namespace in every state, with both ends and the process that holds it."""
    place = getattr(machine[0], side)
    expected = sockets_of_ss(place)
    assert len(expected) >= 5
    assert sockets_of_list(place) == expected


def test_time_wait_is_listed_if_asked_for(listener: socket.socket) -> None:
    """What has no process any more has its ends; there may be thousands, so nobody gets it who has
    not asked."""
    with socket.create_connection(listener.getsockname()) as client, listener.accept()[0] as served:
        port = client.getsockname()[1]
        client.shutdown(socket.SHUT_WR)
        served.recv(1)
        served.shutdown(socket.SHUT_WR)
        client.recv(1)
    peer_port = listener.getsockname()[1]
    chosen = f"local.port:{port} remote.port:{peer_port}"
    (found,) = objects("-a", "--filter", chosen)
    assert found["state"] == "time_wait"
    assert not {"pid", "bytes_sent", "connection_id"} & found.keys()
    assert objects("--filter", chosen) == []


def test_listeners_have_their_queue(machine: tuple[NamespacePair, int, int]) -> None:
    """How many wait, how many may, and from where it can be reached."""
    pair, server, _ = machine
    lines = listed("-l", "-n", "--netns", str(pair.left.inode)).splitlines()
    text = "\n".join(lines)
    assert len(lines) == 1 + 3
    assert all(str(server) in line and "server (a b)" in line for line in lines[1:])
    assert re.search(rf"{re.escape(pair.left_address)}:{SERVICE} +private +4 +8 ", text)
    assert re.search(rf"127\.0\.0\.1:{OTHER_SERVICE} +loopback +0 +5 ", text)
    assert re.search(rf"\[::\]:{SERVICE} +all +1 +3 ", text)


@pytest.mark.parametrize("form", ["table", "wide", "json", "csv"])
def test_escape_codes_are_shown_not_sent(
    machine: tuple[NamespacePair, int, int], form: str
) -> None:
    """A process name can not move the cursor, in no format."""
    printed = listed("-o", form, "--netns", str(machine[0].right.inode))
    assert "\x1b" not in printed
    assert "x1b[31mred" in printed


def test_csv_and_arrow_have_the_same_rows(machine: tuple[NamespacePair, int, int]) -> None:
    """As JSON, for those who read tables."""
    chosen = ("--netns", str(machine[0].right.inode))
    ports = sorted(each["local_port"] for each in objects(*chosen))
    rows = csv.DictReader(io.StringIO(listed("-o", "csv", *chosen)))
    assert sorted(int(row["local_port"]) for row in rows) == ports
    stream = subprocess.run(
        [*CONNSCOPE, "list", "-o", "arrow", *chosen], capture_output=True, check=True
    ).stdout
    array = na.ArrayStream.from_readable(stream).read_all()
    names = [array.schema.field(place).name for place in range(array.schema.n_fields)]
    assert sorted(array.child(names.index("local_port")).to_pylist()) == ports


@pytest.mark.parametrize("width", [80, 100, 200])
def test_table_fits_the_line(machine: tuple[NamespacePair, int, int], width: int) -> None:
    """Whatever is open."""
    chosen = ("--netns", str(machine[0].left.inode))
    lines = listed(*chosen, COLUMNS=str(width)).splitlines()
    assert len(lines) > 5
    assert max(map(len, lines)) <= width


def test_sort_and_filter(machine: tuple[NamespacePair, int, int]) -> None:
    """The rows of an expression, in the order of a column."""
    chosen = ("--netns", str(machine[0].left.inode), "--filter", "-state:listen")
    found = [each["peer_port"] for each in objects(*chosen, "--sort", "-peer_port")]
    assert len(found) >= 4
    assert found == sorted(found, reverse=True)


def test_summary_adds_up(machine: tuple[NamespacePair, int, int]) -> None:
    """For each process, peer and port, and in total."""
    pair, server, _ = machine
    chosen = ("--netns", str(pair.left.inode))
    sums = objects("--summary", *chosen)
    (mine,) = [each for each in sums if each["by"] == "process" and each.get("pid") == server]
    assert mine["listeners"] == 3
    assert sums[-1]["connections"] == len(objects("--filter", "-state:listen", *chosen))


@contextmanager
def followed(*arguments: str, **environment: str) -> Iterator[tuple[int, int, bytearray]]:
    """A list that follows on a terminal: its pid, our end, and what it has drawn."""
    child, terminal = pty.fork()
    if not child:
        os.environ.update(environment, TERM="xterm", COLUMNS="100", LINES="20")
        command = [*CONNSCOPE, "list", "--follow", *arguments]
        os.execv(command[0], command)  # noqa: S606 - the child of a terminal is what we run
    drawn = bytearray()
    try:
        yield child, terminal, drawn
    finally:
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        os.close(terminal)


def read_until(terminal: int, drawn: bytearray, pattern: bytes) -> None:
    """Reads what is drawn until it has that in it."""
    seen = len(drawn)
    while not re.search(pattern, bytes(drawn[seen:])):
        drawn += os.read(terminal, 65536)


def test_follow_marks_what_happens(listener: socket.socket) -> None:
    """What opens and closes is marked, and q gives the terminal back."""
    port = listener.getsockname()[1]
    with followed("--port", str(port), "-n", NO_COLOR="1") as (child, terminal, drawn):
        read_until(terminal, drawn, rb"1 listening")
        with socket.create_connection(listener.getsockname()):
            read_until(terminal, drawn, rb"\+ established +~?%d " % os.getpid())
        read_until(terminal, drawn, rb"- closed +%d " % os.getpid())
        os.write(terminal, b"q")
        with suppress(OSError):
            read_until(terminal, drawn, rb"\x1b\[\?1049l")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert drawn.startswith(b"\x1b[?1049h")
    assert b"\x1b[3" not in drawn


def test_follow_marks_what_fails() -> None:
    """A refused connect is in no look; the event tells of it."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = gone.getsockname()
    chosen = ("--port", str(address[1]), "--failed")
    with followed(*chosen) as (_, terminal, drawn):
        read_until(terminal, drawn, rb"q quits")
        with socket.socket() as client:
            assert client.connect_ex(address)
        read_until(terminal, drawn, rb"\x1b\[31m! refused +%d " % os.getpid())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_follow_gives_the_terminal_back(number: signal.Signals, code: int) -> None:
    """After Ctrl-C and SIGTERM it is as it was."""
    with followed("--netns", "1") as (child, terminal, drawn):
        before = termios.tcgetattr(terminal)
        read_until(terminal, drawn, rb"q quits")
        os.kill(child, number)
        with suppress(OSError):
            read_until(terminal, drawn, rb"\x1b\[\?1049l")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == code
        assert termios.tcgetattr(terminal)[3] | termios.ICANON == before[3] | termios.ICANON


def test_follow_in_a_pipe_prints_blocks(listener: socket.socket) -> None:
    """Each second all rows again, with a header for each block."""
    with subprocess.Popen(
        [*CONNSCOPE, "list", "--follow", "--port", str(listener.getsockname()[1])],
        stdout=subprocess.PIPE,
        text=True,
    ) as following:
        assert following.stdout
        lines = [following.stdout.readline() for _ in range(5)]
        following.terminate()
    assert lines[3:] == lines[:2]
    assert lines[2] == "\n"
    assert following.returncode == 143


@pytest.mark.parametrize("form", ["table", "json", "csv", "arrow"])
def test_a_closed_pipe_ends_it_quietly(form: str) -> None:
    """When the reader goes, list goes: no traceback, exit code 0."""
    with subprocess.Popen(
        [*CONNSCOPE, "list", "--follow", "-o", form], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as following:
        assert following.stdout
        assert following.stderr
        following.stdout.read(1)
        following.stdout.close()
        assert following.stderr.read() == b""
    assert following.returncode == 0


def test_without_capabilities_it_lists_what_it_can(listener: socket.socket) -> None:
    """Unprivileged it falls back, says so, and still has our own listener with its queue."""
    command = [*WITHOUT_PRIVILEGES, *CONNSCOPE, "list", "-o", "json"]
    port = listener.getsockname()[1]
    finished = subprocess.run(
        [*command, "--port", str(port)], capture_output=True, text=True, check=False
    )
    (found,) = [json.loads(line) for line in finished.stdout.splitlines()]
    assert finished.returncode == 0
    assert finished.stderr.startswith("WARN falling back to netlink: needs CAP_BPF")
    assert (found["tier"], found["state"], found["local_port"]) == ("netlink", "listen", port)
