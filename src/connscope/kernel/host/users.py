"""Which user to become."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from connscope.errors import ConfigError

__all__ = ("User", "unprivileged_user")

OWN_NAME = "connscope"
NOBODY = 65534
NO_USER = (1 << 32) - 1
CAP_SETGID, CAP_SETUID = 6, 7  # linux/capability.h


class User(NamedTuple):
    """By its numbers."""

    uid: int
    gid: int


def unprivileged_user(wanted: str, environment: Mapping[str, str]) -> User:
    """The user that needs no rights: the wanted one, else who called sudo, else connscope, else
    nobody. Who is not root, or may not become another one, stays who they are.

    Args:
        wanted: name or number; empty for any.
        environment: with ``SUDO_UID``.

    Raises:
        ConfigError: there is no such user, or it is root.
    """
    if os.geteuid() or not _may_change():
        return User(os.geteuid(), os.getegid())
    if wanted:
        try:
            found = _of(int(wanted)) if _is_number(wanted) else _named(wanted)
        except KeyError as error:
            raise ConfigError(f"agent_user is {wanted!r}: there is no such user") from error
        if not found.uid or not found.gid:
            raise ConfigError(f"agent_user is {wanted!r}: root is what it should not be")
        return found
    called = environment.get("SUDO_UID", "")
    if _is_number(called) and int(called) and (caller := _of(int(called))).gid:
        return caller
    try:
        return _named(OWN_NAME)
    except KeyError:
        return User(NOBODY, NOBODY)


def _may_change() -> bool:
    """Root of a container can have been left with no capability at all."""
    needed = 1 << CAP_SETGID | 1 << CAP_SETUID
    for line in Path("/proc/self/status").read_text(errors="replace").splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16) & needed == needed
    return True


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) < NO_USER


def _of(uid: int) -> User:
    """A number need not be in the list of users."""
    try:
        return User(uid, pwd.getpwuid(uid).pw_gid)
    except KeyError:
        return User(uid, uid)


def _named(name: str) -> User:
    found = pwd.getpwnam(name)
    return User(found.pw_uid, found.pw_gid)
