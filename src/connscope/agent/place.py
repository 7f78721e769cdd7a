"""Where the server is: on this machine behind a unix socket, or elsewhere."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from connscope.errors import ConfigError

__all__ = ("Place", "find_place")

LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Place(NamedTuple):
    """Of a server: a path of a unix socket, or host and port."""

    unix: str
    host: str
    port: int
    secure: bool

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.unix or f"http{'s' * self.secure}://{host}:{self.port}"

    @property
    def is_open_to_others(self) -> bool:
        """Whether everybody on the way can read what is sent."""
        return not (self.unix or self.secure or self.host in LOOPBACK)


def find_place(url: str, unix: str, *, plaintext: bool) -> Place:
    """The place that a configuration names.

    Args:
        url: of a server elsewhere; empty for the one of this machine.
        unix: the path of the latter's socket.
        plaintext: whether it may be http, which everybody on the way can read.

    Raises:
        ConfigError: the URL is none, or http without leave.
    """
    if not url:
        return Place(unix, "", 0, secure=False)
    parts = urlsplit(url)
    try:
        host, port = parts.hostname or "", parts.port
        # Also so that the codec is imported now: it may be out of reach later, as the files are.
        host.encode("idna")
    except ValueError as error:
        raise ConfigError(f"server_url is {url!r}: {error}") from error
    if parts.scheme not in ("http", "https") or not host or parts.path.strip("/") or parts.query:
        raise ConfigError(f"server_url is {url!r}: give it as https://HOST:PORT")
    secure = parts.scheme == "https"
    if not secure and not plaintext and host not in LOOPBACK:
        raise ConfigError(
            f"server_url is {url!r}: over http everybody on the way can read who talks to whom; "
            "use https, or say --plaintext"
        )
    return Place("", host, port or (443 if secure else 4040), secure)
