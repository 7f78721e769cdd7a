"""The command ``connscope server``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from connscope.agent.host import this_host
from connscope.cli.exit_codes import USAGE
from connscope.tokens import agent_token
from tests.unit.cli.command import run_connscope
from tests.unit.server.process import running


def test_prints_where_to_look(tmp_path: Path):
    """The address with the token."""
    with running(tmp_path) as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert len(server.token) > 40


def test_a_token_of_a_file_is_not_printed(tmp_path: Path):
    """It is known to whom it concerns, and works."""
    path = tmp_path / "token"
    path.write_text("k" * 30)
    path.chmod(0o600)
    with running(tmp_path, "--token-file", str(path)) as server:
        assert server.url.endswith("/#t=…")
        with server.client("k" * 30) as asker:
            assert asker.get("/api/v1/hosts").status_code == 200


def test_prints_the_token_of_an_agent(tmp_path: Path):
    """It begins with the host, and nothing is served."""
    path = tmp_path / "token"
    path.write_text("k" * 30)
    path.chmod(0o600)
    done = run_connscope("server", "--token-file", str(path), "--agent-token", "4f1c")
    assert (done.returncode, done.stdout) == (0, agent_token("k" * 30, "4f1c") + "\n")
    assert done.stdout.startswith("4f1c.")


def test_agents_have_no_token_of_a_server_that_has_none():
    """It would be worth nothing after the next start."""
    done = run_connscope("server", "--agent-token", "4f1c")
    assert done.returncode == USAGE
    assert "--token-file" in done.stderr


def test_agent_prints_the_id_of_its_host():
    """For the one who makes the token; nothing is captured."""
    done = run_connscope("agent", "--host-id")
    assert (done.returncode, done.stdout) == (0, this_host().host_id + "\n")


def test_a_wrong_port_is_usage():
    """Code 2 and what it may be."""
    done = run_connscope("server", "--port", "70000")
    assert done.returncode == USAGE
    assert "from 0 to 65535" in done.stderr


def test_help_names_the_options():
    """Those that people look for."""
    done = run_connscope("server", "--help")
    assert all(option in done.stdout for option in ("--host", "--port", "--token-file", "--socket"))


def test_a_taken_port_names_its_owner(tmp_path: Path):
    """As `connscope launch` does; the second one has the rights of the first."""
    with running(tmp_path) as server:
        command = [sys.executable, "-B", "-m", "connscope.cli", "server", "--socket", ""]
        done = subprocess.run(
            [*command, "--port", str(server.port)], capture_output=True, text=True, check=False
        )
        assert done.returncode == USAGE
        assert f"port {server.port}:" in done.stderr
        assert f"pid {server.process.pid})" in done.stderr
