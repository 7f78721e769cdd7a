"""The directory of a spool: made by whoever starts the agent, for the user who fills it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from pathlib import Path

from connscope.agent.spool import is_spool_file
from connscope.errors import ConfigError
from connscope.kernel.host.users import User

__all__ = ("hold_spool_place",)

PATIENCE_S, CHECK_S = 4.0, 0.1
"""An agent whose first process was killed ends within that time."""


def hold_spool_place(path: Path, user: User) -> int:
    """Makes it, or takes the one that is there; nobody else can have it meanwhile.

    A process that has changed to this directory can use it when it has become the user, even where
    the way to it is closed to them.

    Returns:
        A descriptor of the directory: as long as it is open, in any process, it is ours.

    Raises:
        ConfigError: it can not be had, another agent has it, or it is a directory of something
            else.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError(f"spool_dir is {path}: {error.strerror}") from error
    try:
        _take_over(descriptor, path, user)
        _lock(descriptor, path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _take_over(descriptor: int, path: Path, user: User) -> None:
    told = os.fstat(descriptor)
    if told.st_uid == user.uid and stat.S_IMODE(told.st_mode) == 0o700:
        return
    if not all(is_spool_file(name) for name in os.listdir(descriptor)):
        raise ConfigError(f"spool_dir is {path}: it has other files, give it one of its own")
    try:
        os.fchmod(descriptor, 0o700)
        os.fchown(descriptor, user.uid, user.gid)
    except OSError as error:
        raise ConfigError(f"spool_dir is {path}: {error.strerror}") from error


def _lock(descriptor: int, path: Path) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < end_s:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(CHECK_S)
    raise ConfigError(f"spool_dir is {path}: another agent runs here and uses it")
