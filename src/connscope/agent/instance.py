"""The one connscope that runs here: where others find it, and how they end it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from connscope.errors import ConfigError, UsageError
from connscope.kernel.procfs.processes import read_process

__all__ = (
    "Instance",
    "end_instance",
    "find_instance",
    "held_instance",
    "make_private",
    "note_instance",
    "refuse_second",
)

FILE = "launch.json"
LOCK = "launch.lock"
CHECK_S = 0.05


class Instance(msgspec.Struct, frozen=True):
    """What is known of it.

    Attributes:
        pid, start_ns: of its first process.
        url: of its page, with the token; empty if it has no server here.
        since_s: seconds since 1970.
        tier: by which it captures, in a word; empty if it does not.
    """

    pid: int
    start_ns: int
    url: str
    since_s: float
    tier: str

    @property
    def where(self) -> str:
        """In words: `` at URL``; empty if it has no page."""
        return f" at {self.url}" if self.url else ""


def find_instance(directory: Path) -> Instance | None:
    """The one that runs, if there is one."""
    try:
        found = msgspec.json.decode((directory / FILE).read_bytes(), type=Instance)
    except (OSError, msgspec.MsgspecError):
        return None
    process = read_process(found.pid)
    return found if process and process.start_ns == found.start_ns else None


@contextlib.contextmanager
def held_instance(directory: Path) -> Iterator[None]:
    """As long as this lasts, we are the one.

    Raises:
        UsageError: another one runs; where its page is.
        ConfigError: the directory is not ours.
    """
    make_private(directory)
    descriptor = os.open(directory / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            # Not flock: our children would inherit that lock and hold it longer than we do.
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            raise _runs_already(find_instance(directory)) from error
        try:
            yield
        finally:
            with contextlib.suppress(FileNotFoundError):
                (directory / FILE).unlink()
    finally:
        os.close(descriptor)


def refuse_second(directory: Path) -> None:
    """Nothing, unless one runs.

    Raises:
        UsageError: one does; where its page is.
    """
    if (found := find_instance(directory)) is not None:
        raise _runs_already(found)


def _runs_already(found: Instance | None) -> UsageError:
    where = found.where if found else ""
    return UsageError(f"connscope runs already{where}; `connscope stop` ends it")


def note_instance(directory: Path, url: str, tier: str) -> None:
    """Says where we are to be found; the file holds the token, so it is ours alone."""
    process = read_process(os.getpid())
    start_ns = process.start_ns if process else 0
    noted = Instance(os.getpid(), start_ns, url, time.time(), tier)
    path = directory / f"{FILE}.part"
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(noted))
    path.rename(directory / FILE)


def end_instance(found: Instance, patience_s: float) -> bool:
    """Asks it to end; whether it has within that time.

    Raises:
        PermissionError: it belongs to somebody else.
    """
    os.kill(found.pid, signal.SIGTERM)
    end_s = time.monotonic() + patience_s
    while (process := read_process(found.pid)) and process.start_ns == found.start_ns:
        if time.monotonic() >= end_s:
            return False
        time.sleep(CHECK_S)
    return True


def make_private(directory: Path) -> None:
    """Makes the directory of our files. In /tmp anybody may have made one before us.

    That of root others may look into, whatever root's umask is: the way to the server's socket,
    which is another user's, leads through it. What is secret in it is 0600.

    Raises:
        ConfigError: others may write to it.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        told = directory.lstat()
    except OSError as error:
        raise ConfigError(f"can not make {directory}: {error.strerror}") from error
    others_write = told.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if not stat.S_ISDIR(told.st_mode) or told.st_uid != os.geteuid() or others_write:
        raise ConfigError(f"{directory} is not ours alone: remove it, or look who made it")
    if os.geteuid() == 0:
        directory.chmod(0o755)
