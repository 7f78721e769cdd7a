"""``connscope launch``: what can be seen of one that runs."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from connscope.agent.run import CAPTURE_CAPABILITIES
from connscope.cli.exit_codes import USAGE
from connscope.kernel.host.capabilities import BITS
from tests.kernel.cli.launched import (
    RUNTIME,
    Launched,
    connscope,
    eventually,
    launched,
    status_of,
)

NOBODY = "65534"

pytestmark = pytest.mark.usefixtures("nobody_else")


@pytest.fixture(scope="module")
def running() -> Iterator[Launched]:
    """One for all who only look."""
    with tempfile.TemporaryDirectory(prefix="connscope-test-") as name:
        Path(name).chmod(0o755)
        with launched(Path(name), SSH_CONNECTION="10.0.0.9 5 10.0.0.1 22", SUDO_USER="ada") as it:
            yield it


def mask(names: tuple[str, ...]) -> int:
    """The bits of capabilities."""
    return sum(1 << BITS[name] for name in names)


def test_only_the_capture_keeps_rights(running: Launched):
    """And of those only the named ones; nothing that any of them starts gets more."""
    first = status_of(running.pid)
    assert 0 < int(first["CapEff"], 16) <= mask(CAPTURE_CAPABILITIES)
    assert int(first["CapBnd"], 16) | mask(CAPTURE_CAPABILITIES) == mask(CAPTURE_CAPABILITIES)
    for pid in (running.server, running.agent):
        told = status_of(pid)
        assert told["Uid"].split() == told["Gid"].split() == [NOBODY] * 4
        assert [int(told[each], 16) for each in ("CapEff", "CapPrm", "CapInh", "CapBnd")] == [0] * 4
        assert told["Groups"] == ""
    assert all(status_of(pid)["NoNewPrivs"] == "1" for pid in (running.pid, *running.children))


def test_a_connection_is_there_soon(running: Launched):
    """From connect to the API in two seconds; its owner is known."""
    running.host()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            began_s = time.monotonic()
            path = f"connections?filter=port:{port}%20state:established"
            found = eventually(lambda: running.get(path)["connections"])
            assert time.monotonic() - began_s < 2
    assert found[0]["pid"] == os.getpid()


def test_idle_connections_and_listeners_are_there(running: Launched):
    """On a quiet machine, too: hosts, nodes and who listens."""
    assert running.host()["tier"] == "btf"
    assert running.get("listeners")["listeners"]
    assert running.get("topology")["nodes"]


def test_says_how_to_come_from_another_machine(running: Launched):
    """Over ssh, to the address that was come by, as who called sudo."""
    port = running.url.partition("/#")[0].rpartition(":")[2]
    assert f"ssh -L {port}:127.0.0.1:{port} ada@10.0.0.1" in running.lines[1]


def test_status_says_where_it_is(running: Launched):
    """Since when, how it captures, and the page with its token."""
    done = connscope("status")
    assert done.returncode == 0
    assert all(said in done.stdout for said in (str(running.pid), "capturing: btf", running.url))


@pytest.mark.parametrize("more", [(), ("-d",)])
def test_a_second_one_says_where_the_first_one_is(running: Launched, more: tuple[str, ...]):
    """And how to end it."""
    done = connscope("launch", *more)
    assert done.returncode == USAGE
    assert running.url in done.stderr
    assert "connscope stop" in done.stderr


def test_a_second_agent_is_refused(running: Launched):
    """Both would report the same machine."""
    spool = running.errors.parent / "spool"
    done = connscope("agent", CONNSCOPE_SPOOL_DIR=str(spool))
    assert done.returncode == USAGE
    assert "another agent" in done.stderr


def test_its_note_is_for_its_owner_alone(running: Launched):
    """It has the token."""
    note = RUNTIME / "launch.json"
    assert note.stat().st_mode & 0o077 == 0
    assert json.loads(note.read_text())["pid"] == running.pid
