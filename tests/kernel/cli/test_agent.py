"""``connscope agent``: two processes, a server that comes and goes, a fleet's server elsewhere."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connscope.cli.exit_codes import FAILED, USAGE
from connscope.report.decode import Limits, decode
from connscope.report.report import Report
from tests.kernel.cli.launched import CONNSCOPE, eventually, status_of, surroundings
from tests.unit.agent.answering import Answering, answer, answering

LIMITS = Limits(encoded_bytes=1 << 24, decoded_bytes=1 << 26)
TOKEN = "-".join(("of", "this", "host", "alone"))


@pytest.fixture
def directory() -> Iterator[Path]:
    """Where every user may look, unlike those of pytest."""
    with tempfile.TemporaryDirectory(prefix="connscope-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def reporting(directory: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """``connscope agent``; its errors are in a file."""
    with (directory / "errors").open("wb") as errors:
        process = subprocess.Popen(
            [*CONNSCOPE, "agent", *arguments], stderr=errors, env=surroundings(directory)
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait()


def child_of(pid: int) -> int:
    """The reporting process."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def told(server: Answering) -> list[Report]:
    """What came."""
    return [decode(each, LIMITS) for each in list(server.bodies)]


def test_reports_each_second_over_http_with_its_token(directory: Path):
    """Once each, in order; the traffic of both processes is marked; the last one is of the end."""
    server = Answering(answer(204))
    secret = directory / "token"
    secret.write_text(TOKEN)
    secret.chmod(0o600)
    with answering(server) as port:
        url = f"http://127.0.0.1:{port}"
        with reporting(directory, "--server", url, "--token-file", str(secret)) as process:
            eventually(lambda: len(server.bodies) >= 3)
            agent = child_of(process.pid)
            with socket.create_server(("127.0.0.1", 0)) as listener:
                before, wanted = len(server.bodies), listener.getsockname()[1]
                process.send_signal(signal.SIGTERM)
                assert process.wait(5) == 128 + signal.SIGTERM
            assert not status_of(agent)
        reports = told(server)
    assert len(reports) > before
    assert wanted in reports[-1].open["local_port"]
    assert [each.sequence for each in reports] == list(range(len(reports)))
    times_ns = [each.look.time_ns for each in reports]
    assert 5e8 < times_ns[2] - times_ns[1] < 5e9
    assert f"Bearer {TOKEN}" in server.heads[0]
    own = {name.pid for each in reports for name in each.names if name.what == "own"}
    assert own == {process.pid, agent}


def test_a_server_that_comes_later_gets_all(directory: Path):
    """What was seen meanwhile waits on disk; nothing comes twice."""
    path = directory / "connscope.sock"
    with reporting(directory) as process:
        eventually(lambda: list((directory / "spool").glob("*.report")))
        assert "can not be reached: No such file" in (directory / "errors").read_text()
        assert status_of(child_of(process.pid))["Uid"].split()[0] == "65534"
        server = Answering(answer(204))
        with answering(server, str(path)):
            os.chown(path, 65534, 65534)
            eventually(lambda: len(server.bodies) >= 3)
            process.terminate()
            process.wait(5)
            sequences = [each.sequence for each in told(server)]
    assert sequences == list(range(len(sequences)))
    assert not list((directory / "spool").glob("*.report"))


def test_ends_when_its_other_process_dies(directory: Path):
    """It says so; whoever started it starts it again."""
    with reporting(directory) as process:
        eventually(lambda: "capturing" in (directory / "errors").read_text())
        os.kill(child_of(process.pid), signal.SIGKILL)
        assert process.wait(5) == FAILED
    assert "its agent process" in (directory / "errors").read_text()
    assert "was killed by signal 9" in (directory / "errors").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--server", "https://scope.example"), "--agent-token"),
        (("--server", "scope.example"), "https://HOST:PORT"),
        (("--interval", "0.01"), "report_interval_s"),
        (("--token-file", "/nowhere"), "can not read the token"),
    ],
)
def test_what_can_not_be_is_said_at_once(directory: Path, arguments: tuple[str, ...], said: str):
    """With the next step, and nothing is captured before."""
    with reporting(directory, *arguments) as process:
        assert process.wait(5) == USAGE
    assert said in (directory / "errors").read_text()
    assert not (directory / "spool").exists()


def test_plain_http_is_warned_of_each_time(directory: Path):
    """Everybody on the way can read it. (TEST-NET-1 leads nowhere.)"""
    secret = directory / "token"
    secret.write_text(TOKEN)
    secret.chmod(0o600)
    given = ("--server", "http://192.0.2.1:9", "--token-file", str(secret))
    with reporting(directory, *given) as process:
        assert process.wait(5) == USAGE
    with reporting(directory, *given, "--plaintext"):
        eventually(lambda: "capturing" in (directory / "errors").read_text())
    assert "WARN reports go to http://192.0.2.1:9" in (directory / "errors").read_text()
