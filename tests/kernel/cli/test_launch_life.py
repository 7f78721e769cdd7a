"""``connscope launch``: how it starts and how it ends, each time another one."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from connscope.cli.exit_codes import FAILED, USAGE
from connscope.kernel.host.capabilities import BITS
from tests.kernel.cli.launched import (
    CONNSCOPE,
    RUNTIME,
    Launched,
    connscope,
    eventually,
    launched,
    status_of,
    surroundings,
)
from tests.unprivileged import TREE

NOBODY = "65534"

pytestmark = pytest.mark.usefixtures("nobody_else")


@pytest.fixture
def directory() -> Iterator[Path]:
    """Where every user may look, unlike those of pytest."""
    with tempfile.TemporaryDirectory(prefix="connscope-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ends_by_signals(directory: Path, number: int):
    """With the code of the signal; nothing is left: no process, no socket, no note."""
    with launched(directory) as it:
        it.host()
        assert it.end(number) == 128 + number
        assert not (directory / "connscope.sock").exists()
        assert not (RUNTIME / "launch.json").exists()
        assert connscope("status").returncode == FAILED


def test_a_killed_first_process_takes_the_others_with_it(directory: Path):
    """And does not keep the next one from starting."""
    with launched(directory) as it:
        it.host()
        it.end(signal.SIGKILL)
    assert connscope("status").returncode == FAILED
    with launched(directory) as again:
        assert again.host()["tier"] == "btf"


@pytest.mark.parametrize("which", ["server", "agent"])
def test_ends_when_a_part_of_it_dies(directory: Path, which: str):
    """It says which: half of it would show what is not so any more."""
    with launched(directory) as it:
        it.host()
        os.kill(getattr(it, which), signal.SIGKILL)
        eventually(it.is_gone, 5)
        assert it.process.wait() == FAILED
        assert f"its {which} process, {getattr(it, which)}, was killed by signal 9" in (
            it.errors.read_text()
        )


def test_a_taken_port_names_who_has_it(directory: Path):
    """And what to do."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        done = subprocess.run(
            [*CONNSCOPE, "launch", "--port", port],
            capture_output=True,
            text=True,
            check=False,
            env=surroundings(directory),
        )
    assert done.returncode == USAGE
    assert f"pid {os.getpid()})" in done.stderr
    assert "--port" in done.stderr


def test_in_the_background(directory: Path):
    """Returns when it runs; stop ends all of it and waits for that."""
    environment = surroundings(directory)
    started = subprocess.run(
        [*CONNSCOPE, "launch", "-d", "--port", "0"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert started.returncode == 0, started.stderr
    assert "http://127.0.0.1:" in started.stdout
    assert "pid" in connscope("status").stdout
    done = connscope("stop")
    assert (done.returncode, done.stdout) == (0, "connscope has ended\n")
    assert connscope("stop").returncode == FAILED
    assert not (directory / "connscope.sock").exists()


def test_works_from_a_directory_of_roots_own(directory: Path):
    """With root's own Python, under a strict umask: what is needed is imported before."""
    clone = directory / "clone"
    shutil.copytree(TREE / "src", clone, ignore=shutil.ignore_patterns("__pycache__"))
    clone.chmod(0o700)
    command = ("sh", "-c", 'umask 077; exec "$@"', "-", *CONNSCOPE)
    with launched(directory, command=command, PYTHONPATH=str(clone)) as it:
        assert it.host()["tier"] == "btf"
        environ = Path(f"/proc/{it.server}/environ").read_text().split("\0")
        assert f"PYTHONPATH={clone}" in environ
        for path in ("topology?filter=port:1", "openapi.json", "listeners"):
            assert it.get(path)
        assert it.end(signal.SIGINT) == 130
        assert "Traceback" not in it.errors.read_text()


def test_becomes_who_called_sudo_and_gives_them_the_recording(directory: Path):
    """Which can be shown again, and has the same host."""
    recording = directory / "recording"
    with launched(directory, "--record", str(recording), SUDO_UID="1234") as it:
        host = it.host()
        assert status_of(it.server)["Uid"].split()[0] == "1234"
        assert status_of(it.agent)["Uid"].split()[0] == "1234"
        it.end()
    told = recording.stat()
    assert (told.st_uid, told.st_mode & 0o777) == (1234, 0o600)
    command = (*CONNSCOPE, "replay", str(recording), "--port", "0")
    with Launched(command, surroundings(directory), directory / "errors") as shown:
        assert shown.host()["id"] == host["id"]
        assert status_of(shown.server)["Uid"].split()[0] == NOBODY
        assert shown.end(signal.SIGINT) == 130


def test_without_any_right(directory: Path):
    """It shows what it can, and says what that is."""
    home = directory / "home"
    (home / "run").mkdir(parents=True)
    command = ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all", *CONNSCOPE)
    environment = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run")}
    with launched(directory, command=command, **environment) as it:
        assert it.host()["tier"] in ("netlink", "procfs")
        assert "WARN falling back to" in it.errors.read_text()
        assert int(status_of(it.agent)["CapEff"], 16) == 0


def test_only_the_server(directory: Path):
    """It captures nothing, and keeps no right but to end its server."""
    with launched(directory, "--app-only") as it:
        assert it.get("hosts") == {"hosts": []}
        assert int(status_of(it.pid)["CapEff"], 16) == 1 << BITS["CAP_KILL"]
        assert "only the server" in connscope("status").stdout
        assert it.end() == 128 + signal.SIGTERM
