"""The directory of a spool: ours, of nobody else, and at no price that of something else."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from connscope.agent import spool_place
from connscope.agent.spool_place import hold_spool_place
from connscope.errors import ConfigError
from connscope.kernel.host.users import User

ME = User(os.geteuid(), os.getegid())
OTHER = User(65534, 65534)


def test_is_made_for_the_user_alone(tmp_path: Path):
    """With all that leads to it."""
    path = tmp_path / "lib" / "spool"
    os.close(hold_spool_place(path, ME))
    assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_one_agent_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The other one is told."""
    monkeypatch.setattr(spool_place, "PATIENCE_S", 0.05)
    held = hold_spool_place(tmp_path / "spool", ME)
    with pytest.raises(ConfigError, match="another agent"):
        hold_spool_place(tmp_path / "spool", ME)
    os.close(held)
    os.close(hold_spool_place(tmp_path / "spool", ME))


@pytest.mark.parametrize("mode", [0o755, 0o1777])
def test_a_directory_of_something_else_is_refused(tmp_path: Path, mode: int):
    """It is as it was: /tmp would have become nobody's."""
    (tmp_path / "precious").touch()
    tmp_path.chmod(mode)
    with pytest.raises(ConfigError, match="other files"):
        hold_spool_place(tmp_path, ME)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives away")
def test_goes_to_another_user_with_its_reports(tmp_path: Path):
    """Who calls sudo is another one today."""
    path = tmp_path / "spool"
    os.close(hold_spool_place(path, ME))
    (path / f"{7:020}.report").touch()
    os.close(hold_spool_place(path, OTHER))
    assert path.stat().st_uid == OTHER.uid


@pytest.mark.parametrize("kind", ["file", "link", "below a file"])
def test_no_directory_is_a_wrong_key(tmp_path: Path, kind: str):
    """Named, with what is wrong."""
    path = tmp_path / "spool"
    if kind == "link":
        path.symlink_to(tmp_path)
    else:
        path.touch()
    with pytest.raises(ConfigError, match="spool_dir is"):
        hold_spool_place(path / "below" if kind == "below a file" else path, ME)
