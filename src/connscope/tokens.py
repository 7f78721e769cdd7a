"""The secrets of a server: its own token, and those that it gives to agents."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path

from connscope.errors import ConfigError

__all__ = ("agent_token", "host_of_token", "make_token", "read_token")

SHORTEST = 16


def make_token() -> str:
    """A token that nobody can guess."""
    return secrets.token_urlsafe(32)


def agent_token(token: str, host_id: str) -> str:
    """The token with which the agent of one host may report, of that host and of no other.

    It begins with the host's id, so that who gets it knows of whom to believe it. It follows from
    the server's token, so the server need not remember any; a new token of the server takes all of
    them back.
    """
    key, said = token.encode(), f"agent {host_id}".encode()
    return f"{host_id}.{hmac.new(key, said, hashlib.sha256).hexdigest()}"


def host_of_token(token: str, given: str) -> str:
    """The host whose agent has a token; empty if it is none.

    Args:
        token: of the server.
        given: by somebody.
    """
    host_id = given.rpartition(".")[0]
    expected = agent_token(token, host_id).encode()
    return host_id if hmac.compare_digest(given.encode(), expected) else ""


def read_token(path: Path) -> str:
    """The token of a file.

    Raises:
        ConfigError: it can not be read, others may read it, or it is too short.
    """
    try:
        with path.open(encoding="ascii") as file:
            mode = os.fstat(file.fileno()).st_mode
            token = file.read(4096).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"can not read the token in {path}: {error}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(f"others may read {path}: chmod 600 it")
    if len(token) < SHORTEST or not token.isprintable() or " " in token:
        raise ConfigError(f"the token in {path} must be {SHORTEST} printable characters or more")
    return token
