"""Whether we are in the machine's own namespaces, from the links in /proc."""

from __future__ import annotations

from pathlib import Path

from connscope.kernel.host.namespaces import (
    in_initial_pid_namespace,
    in_initial_user_namespace,
)


def test_other_inode_is_not_the_initial_namespace(tmp_path: Path) -> None:
    """The machine's own namespaces have fixed numbers."""
    (tmp_path / "self/ns").mkdir(parents=True)
    (tmp_path / "self/ns/pid").touch()
    (tmp_path / "self/ns/user").touch()
    assert not in_initial_pid_namespace(tmp_path)
    assert not in_initial_user_namespace(tmp_path)


def test_kernel_without_such_namespaces_has_only_the_initial_one(tmp_path: Path) -> None:
    """No link, no other namespace."""
    assert in_initial_pid_namespace(tmp_path)
    assert in_initial_user_namespace(tmp_path)
