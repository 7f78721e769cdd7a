"""Netlink is spoken in one room."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.architecture.sources import PACKAGE, modules, name, parse

ROOM = PACKAGE / "kernel" / "netlink"


def netlink_names(path: Path) -> set[str]:
    """What of the socket module the file uses that has to do with netlink."""
    used = (
        node.attr if isinstance(node, ast.Attribute) else node.id
        for node in ast.walk(parse(path))
        if isinstance(node, ast.Attribute | ast.Name)
    )
    imported = (
        alias.name
        for node in ast.walk(parse(path))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    )
    return {word for word in (*used, *imported) if word.startswith(("AF_NETLINK", "PF_NETLINK"))}


def test_the_room_speaks_it():
    """The other test does not pass because a name has changed."""
    assert any(netlink_names(path) for path in modules() if path.is_relative_to(ROOM))


@pytest.mark.parametrize("path", modules(), ids=name)
def test_only_the_netlink_room_speaks_netlink(path: Path):
    """No AF_NETLINK outside of connscope.kernel.netlink."""
    assert path.is_relative_to(ROOM) or not netlink_names(path)
