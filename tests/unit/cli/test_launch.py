"""``connscope launch``, ``status`` and ``stop``: what needs no kernel."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from connscope.agent.instance import Instance, find_instance, held_instance, note_instance
from connscope.agent.paths import own_paths
from connscope.cli import status, stop
from connscope.cli.exit_codes import FAILED, USAGE
from connscope.cli.launch import welcome
from connscope.config import Config
from connscope.errors import ConfigError, UsageError
from connscope.kernel.host.users import User, unprivileged_user
from tests.unit.cli.command import run_connscope

URL = "http://127.0.0.1:4040/#t=abc"


def test_a_noted_one_is_found(tmp_path: Path):
    """As long as it lasts, and by nobody but its owner."""
    with held_instance(tmp_path / "run"):
        assert find_instance(tmp_path / "run") is None
        note_instance(tmp_path / "run", URL, "btf")
        found = find_instance(tmp_path / "run")
        assert found
        assert (found.pid, found.url, found.tier) == (os.getpid(), URL, "btf")
        assert (tmp_path / "run" / "launch.json").stat().st_mode & 0o077 == 0
    assert find_instance(tmp_path / "run") is None


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b'{"pid":"x"}'])
def test_a_damaged_note_is_none(tmp_path: Path, content: bytes):
    """Nothing is signalled that it names."""
    (tmp_path / "launch.json").write_bytes(content)
    assert find_instance(tmp_path) is None


def test_another_process_with_the_same_number_is_another(tmp_path: Path):
    """It began at another time: `stop` must not end it."""
    note_instance(tmp_path, URL, "btf")
    found = find_instance(tmp_path)
    assert found
    changed = (tmp_path / "launch.json").read_text().replace(str(found.start_ns), "1")
    (tmp_path / "launch.json").write_text(changed)
    assert find_instance(tmp_path) is None


@pytest.mark.parametrize("kind", ["writable", "link"])
def test_a_directory_that_others_write_to_is_refused(tmp_path: Path, kind: str):
    """In /tmp anybody may have made it."""
    path = tmp_path / "run"
    if kind == "link":
        path.symlink_to(tmp_path)
    else:
        path.mkdir()
        path.chmod(0o777)
    with pytest.raises(ConfigError), held_instance(path):
        pass


def test_one_without_a_page_says_nothing_of_it():
    """It only reports."""
    assert Instance(1, 1, "", 0.0, "btf").where == ""
    assert Instance(1, 1, URL, 0.0, "btf").where == f" at {URL}"


def test_over_ssh_the_way_is_told(monkeypatch: pytest.MonkeyPatch):
    """Elsewhere it is not."""
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.9 5000 10.0.0.1 22")
    monkeypatch.setenv("SUDO_USER", "ada")
    assert "ssh -L 4040:127.0.0.1:4040 ada@10.0.0.1" in welcome(URL)
    monkeypatch.delenv("SSH_CONNECTION")
    assert "ssh" not in welcome(URL)


def test_where_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    """Both say so, with code 1."""
    for command in (status, stop):
        monkeypatch.setattr(command, "runtime_dir", lambda environment: tmp_path)
        assert command.run(None) == FAILED
        assert "does not run here" in capsys.readouterr().out


def test_only_the_server_for_a_server_elsewhere_makes_no_sense():
    """There would be nothing to do."""
    done = run_connscope("launch", "--app-only", "--server", "https://scope.example")
    assert done.returncode == USAGE
    assert "--app-only" in done.stderr


def test_paths_that_were_given_are_kept(monkeypatch: pytest.MonkeyPatch):
    """The usual ones become the user's own."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    mine = own_paths(Config(spool_dir="/mine"), {"XDG_RUNTIME_DIR": "/run/user/1000"})
    assert (mine.spool_dir, mine.server_socket) == (
        "/mine",
        "/run/user/1000/connscope/connscope.sock",
    )
    other = own_paths(Config(), {"XDG_STATE_HOME": "/home/x/state"})
    assert other.spool_dir == "/home/x/state/connscope/spool"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
@pytest.mark.parametrize("called", ["", "0", "x", "-1", "٣", "4294967295", "99999999999999999999"])
def test_callers_that_are_none(called: str):
    """Never root, whatever the environment says."""
    assert unprivileged_user("", {"SUDO_UID": called}).uid not in (0, int("9" * 9))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_users():
    """Who called sudo, unless another one is wanted; a number needs no name; root is refused."""
    assert unprivileged_user("", {"SUDO_UID": "1234"}) == User(1234, 1234)
    assert unprivileged_user("nobody", {"SUDO_UID": "1234"}).uid == 65534
    for wanted in ("root", "0", "nosuchuser"):
        with pytest.raises(UsageError, match="agent_user"):
            unprivileged_user(wanted, {})
