"""Orders that are obeyed, and others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from connscope.tracker.kill_switch import ORDER, KillSwitch

NOBODY = 65534


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Of root's, which only root may write to, with an order in it."""
    found = tmp_path / "debug"
    found.mkdir(mode=0o755)
    (found / ORDER).touch()
    return found


def test_order_is_obeyed_once(directory: Path):
    """It is deleted."""
    switch = KillSwitch(directory)
    assert [switch.is_pulled(), switch.is_pulled()] == [True, False]
    assert not (directory / ORDER).exists()


def test_each_order_is_obeyed(directory: Path):
    """Who gives it again means it."""
    switch = KillSwitch(directory)
    switch.is_pulled()
    (directory / ORDER).touch()
    assert switch.is_pulled()


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777, 0o1777])
def test_directory_that_others_may_write_to_is_not_obeyed(directory: Path, mode: int):
    """Anybody could have given the order; it stays where it is."""
    directory.chmod(mode)
    assert not KillSwitch(directory).is_pulled()
    assert (directory / ORDER).exists()


def test_directory_of_somebody_else_is_not_obeyed(directory: Path):
    """Nor is its order deleted."""
    os.chown(directory, NOBODY, 0)
    assert not KillSwitch(directory).is_pulled()
    assert (directory / ORDER).exists()


def test_symbolic_link_is_no_directory(directory: Path, tmp_path: Path):
    """It could lead to anywhere by the time the order is deleted."""
    link = tmp_path / "link"
    link.symlink_to(directory)
    assert not KillSwitch(link).is_pulled()
    assert (directory / ORDER).exists()


def test_order_may_be_a_link_of_roots(directory: Path, tmp_path: Path):
    """The link is deleted, not what it leads to."""
    target = tmp_path / "target"
    target.touch()
    (directory / ORDER).unlink()
    (directory / ORDER).symlink_to(target)
    assert KillSwitch(directory).is_pulled()
    assert target.exists()


def test_without_a_directory_there_is_no_order(tmp_path: Path):
    """It need not exist."""
    assert not KillSwitch(tmp_path / "none").is_pulled()
    (tmp_path / "file").touch()
    assert not KillSwitch(tmp_path / "file").is_pulled()


def test_order_that_can_not_be_deleted_is_none(directory: Path):
    """It would be obeyed for ever."""
    (directory / ORDER).unlink()
    (directory / ORDER).mkdir()
    assert not KillSwitch(directory).is_pulled()
