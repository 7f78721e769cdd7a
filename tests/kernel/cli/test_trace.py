"""``connscope trace`` as people run it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.unprivileged import WITHOUT_PRIVILEGES

CONNSCOPE = [sys.executable, "-m", "connscope.cli"]
PATIENCE_S = 20


@contextmanager
def tracing(*arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A running trace that captures already; ended with the block if it has not ended."""
    with subprocess.Popen(
        [*CONNSCOPE, "trace", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    ) as process:
        assert process.stderr
        assert process.stderr.readline().startswith("capturing: btf")
        try:
            yield process
        finally:
            process.terminate()


def connect_once(listener: socket.socket) -> None:
    """One connection over loopback, opened and closed."""
    with socket.create_connection(listener.getsockname()), listener.accept()[0]:
        pass


def ended(process: subprocess.Popen[str]) -> str:
    """Waits for the end; what it printed."""
    return process.communicate(timeout=PATIENCE_S)[0]


def test_json_has_the_connection_from_both_ends(listener: socket.socket) -> None:
    """Every line is an object; an opened and a closed one for each end, with our pid."""
    port = listener.getsockname()[1]
    arguments = ("-o", "json", "--port", str(port), "--count", "4", "--accept-owner", "listener")
    with tracing(*arguments) as process:
        connect_once(listener)
        lines = [json.loads(line) for line in ended(process).splitlines()]

    assert [(line["kind"], line["role"]) for line in lines] == [
        ("opened", "client"),
        ("opened", "server"),
        ("closed", "server"),
        ("closed", "client"),
    ]
    assert {line["pid"] for line in lines} == {os.getpid()}
    assert process.returncode == 0


def test_count_stops_at_the_count(listener: socket.socket) -> None:
    """--count N shows N events, even if more came at once."""
    with tracing("-o", "json", "--count", "3") as process:
        connect_once(listener)
        connect_once(listener)
        assert len(ended(process).splitlines()) == 3


def test_duration_ends_it() -> None:
    """--duration S ends after S seconds with nothing to show, exit code 0."""
    with tracing("-o", "json", "--duration", "0.2", "--netns", "1") as process:
        assert ended(process) == ""
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "terminate"]
)
def test_a_signal_ends_it_with_its_code(number: signal.Signals, code: int) -> None:
    """Ctrl-C and SIGTERM end it at once, with a last word on standard error and no traceback."""
    with tracing() as process:
        process.send_signal(number)
        _, said = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == code
    assert "lost" in said
    assert "Traceback" not in said


def test_a_closed_pipe_ends_it_quietly(listener: socket.socket) -> None:
    """When the reader goes, trace goes: no traceback, exit code 0."""
    with tracing("-o", "json") as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        connect_once(listener)
        process.wait(PATIENCE_S)
        said = process.stderr.read()

    assert process.returncode == 0
    assert "Traceback" not in said
    assert "Exception" not in said


def test_loss_is_an_event(listener: socket.socket) -> None:
    """A stopped reader with a small ring gets a lost line that says how many are missing."""
    with tracing("-o", "json", "--ring-bytes", "4096") as process:
        process.send_signal(signal.SIGSTOP)
        for _ in range(100):
            connect_once(listener)
        process.send_signal(signal.SIGCONT)
        assert process.stdout
        while (line := json.loads(process.stdout.readline()))["kind"] != "lost":
            pass

    assert line["lost"] >= 100
    assert set(line) == {"kind", "tier", "time", "lost"}


@pytest.mark.parametrize(
    ("filters", "shown"),
    [
        (["--pid", "{pid}"], True),
        (["--pid", "1"], False),
        (["--comm", "{comm}"], True),
        (["--comm", "nothing*"], False),
        (["--uid", "0"], True),
        (["--uid", "4242"], False),
        (["--netns", "{netns}"], True),
        (["--cidr", "127.0.0.0/8"], True),
        (["--cidr", "10.0.0.0/8"], False),
        (["--direction", "out"], True),
        (["--failed"], False),
    ],
    ids=str,
)
def test_filters(listener: socket.socket, filters: list[str], shown: bool) -> None:
    """A filter shows what it names and hides the rest."""
    port = listener.getsockname()[1]
    values = {
        "pid": os.getpid(),
        "comm": Path("/proc/self/comm").read_text().strip(),
        "netns": Path("/proc/self/ns/net").stat().st_ino,
    }
    chosen = [part.format(**values) for part in filters]
    with tracing("-o", "json", "--port", str(port), *chosen, "--duration", "0.6") as process:
        connect_once(listener)
        lines = ended(process).splitlines()

    assert bool(lines) == shown


def test_table_keeps_escape_codes_from_the_terminal(listener: socket.socket) -> None:
    """A process name can not move the cursor."""
    with tracing("--count", "1", "--direction", "out", "--comm", "\x1b[31m*") as process:
        child = os.fork()
        if not child:
            Path("/proc/self/comm").write_bytes(b"\x1b[31mred")
            os._exit(socket.socket().connect_ex(listener.getsockname()))
        os.waitpid(child, 0)
        printed = ended(process)

    assert "\x1b" not in printed
    assert "\\x1b[31mred" in printed


def test_a_name_outside_of_the_encoding_ends_no_stream(listener: socket.socket) -> None:
    """What the terminal can not show is escaped."""
    arguments = ("--count", "1", "--direction", "out", "--comm", "caf*")
    with tracing(*arguments, PYTHONIOENCODING="ascii") as process:
        child = os.fork()
        if not child:
            Path("/proc/self/comm").write_bytes("café".encode())
            os._exit(socket.socket().connect_ex(listener.getsockname()))
        os.waitpid(child, 0)
        printed = ended(process)

    assert "caf\\xe9" in printed


def run(*command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs to the end; everything as text."""
    return subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_S, check=False, **options
    )


def test_without_capabilities_one_sentence_names_them() -> None:
    """Unprivileged with btf or nothing: code 3, one line with the capabilities and what to do."""
    finished = run(*WITHOUT_PRIVILEGES, *CONNSCOPE, "trace", "--tier", "btf")

    assert finished.returncode == 3
    assert finished.stderr.count("\n") == 1
    for capability in ("CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN", "sudo"):
        assert capability in finished.stderr


@contextmanager
def any_trace(*command: str) -> Iterator[subprocess.Popen[str]]:
    """A trace that may say anything at its start; killed with the block."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str]) -> str:
    """The next line on stderr."""
    assert process.stderr
    return process.stderr.readline()


def shown(process: subprocess.Popen[str], listener: socket.socket) -> list[dict[str, Any]]:
    """Two rows that come while a connection is open."""
    assert process.stdout
    with socket.create_connection(listener.getsockname()), listener.accept()[0]:
        return [json.loads(process.stdout.readline()) for _ in range(2)]


def test_without_capabilities_it_goes_on_with_less(listener: socket.socket) -> None:
    """Unprivileged it says what it falls back to and why, and shows what it can."""
    port = str(listener.getsockname()[1])
    with any_trace(
        *WITHOUT_PRIVILEGES, *CONNSCOPE, "trace", "-o", "json", "--port", port
    ) as process:
        assert said(process).startswith("WARN falling back to netlink: needs CAP_BPF, CAP_PERFMON")
        assert said(process).startswith("capturing: netlink, identity estimated")
        assert {row["kind"] for row in shown(process, listener)} == {"opened"}


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--require", "btf"), 4, "capturing with btf or better"),
        (("--tier", "procfs", "--require", "btf"), 2, "tier procfs is worse than the btf"),
    ],
)
def test_what_is_required_is_not_replaced(options: tuple[str, ...], code: int, said: str) -> None:
    """--require ends with a code of its own instead of capturing with less."""
    finished = run(*WITHOUT_PRIVILEGES, *CONNSCOPE, "trace", *options)

    assert (finished.returncode, said in finished.stderr) == (code, True)


@pytest.mark.parametrize("tier", ["btf", "netlink", "procfs"])
def test_tier_that_is_asked_for_captures(tier: str, listener: socket.socket) -> None:
    """--tier TIER sees a connection that stays for a while, whichever it is."""
    port = listener.getsockname()[1]
    command = [*CONNSCOPE, "trace", "-o", "json", "--tier", tier, "--port", str(port)]
    with any_trace(*command) as process:
        assert said(process).startswith(f"capturing: {tier}")
        rows = shown(process, listener)
    assert {(row["tier"], row["kind"]) for row in rows} == {(tier, "opened")}
    # The other end may have been looked at before it was accepted: then it has no owner yet.
    (client,) = [row for row in rows if row["peer_port"] == port]
    assert client["pid"] == os.getpid()


class TestDoctor:
    """``connscope doctor``."""

    def test_tries_everything_and_sees_its_own_connection(self) -> None:
        """With privileges the core works, and the cost of the exact accept owner is measured."""
        finished = run(*CONNSCOPE, "doctor", "-o", "json")
        found = json.loads(finished.stdout)
        trials = {trial["feature"]: trial for trial in found["trials"]}

        assert finished.returncode == 0
        assert trials["btf"]["verdict"] == "works"
        assert " ns, measured now" in trials["accept owner by system call"]["note"]
        assert found["machine"]["kernel"] == os.uname().release
        assert found["conclusion"]

    def test_works_without_capabilities(self) -> None:
        """Unprivileged it names what is missing and ends with the command that mends it."""
        finished = run(*WITHOUT_PRIVILEGES, *CONNSCOPE, "doctor")

        assert finished.returncode == 0
        assert "connscope captures with netlink here" in finished.stdout
        assert "that needs CAP_BPF" in finished.stdout
        assert finished.stdout.rstrip().endswith("sudo connscope trace")
