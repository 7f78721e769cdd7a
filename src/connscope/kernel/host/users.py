"""Which user to become."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from typing import NamedTuple

from connscope.errors import ConfigError

__all__ = ("User", "unprivileged_user")

OWN_NAME = "connscope"
NOBODY = 65534


class User(NamedTuple):
    """By its numbers."""

    uid: int
    gid: int


def unprivileged_user(wanted: str, environment: Mapping[str, str]) -> User:
    """The user that needs no rights: the wanted one, else who called sudo, else connscope, else
    nobody. Who is not root stays who they are.

    Args:
        wanted: name or number; empty for any.
        environment: with ``SUDO_UID``.

    Raises:
        ConfigError: there is no such user.
    """
    if os.geteuid():
        return User(os.geteuid(), os.getegid())
    if wanted:
        try:
            return _of(int(wanted)) if wanted.isdecimal() else _named(wanted)
        except KeyError as error:
            raise ConfigError(f"agent_user is {wanted!r}: there is no such user") from error
    called = environment.get("SUDO_UID", "")
    if called.isdecimal() and int(called):
        return _of(int(called))
    try:
        return _named(OWN_NAME)
    except KeyError:
        return User(NOBODY, NOBODY)


def _of(uid: int) -> User:
    """A number need not be in the list of users."""
    try:
        return User(uid, pwd.getpwuid(uid).pw_gid)
    except KeyError:
        return User(uid, uid)


def _named(name: str) -> User:
    found = pwd.getpwnam(name)
    return User(found.pw_uid, found.pw_gid)
