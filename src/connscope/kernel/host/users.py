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
NO_USER = (1 << 32) - 1


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
        ConfigError: there is no such user, or it is root.
    """
    if os.geteuid():
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
