"""Where reports go: to the server of this machine by unix socket, or to one elsewhere by https."""

from __future__ import annotations

import http.client
import socket
import ssl
from enum import Enum
from typing import NamedTuple
from urllib.parse import urlsplit

from connscope.errors import ConfigError

__all__ = ("Answer", "Destination", "make_destination")

PATH = "/api/v1/reports"
TIMEOUT_S = 10.0
MEDIA_TYPE = "application/vnd.connscope.report"
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Answer(Enum):
    """What became of a report."""

    TAKEN = "taken"
    NEEDS_FULL = "the server missed something before it"
    REFUSED = "the server will never take this one"
    SLOWER = "the server has had enough for a moment"
    LATER = "the server is busy or away"


class Place(NamedTuple):
    """Of a server: a path of a unix socket, or host and port."""

    unix: str
    host: str
    port: int
    secure: bool


class Destination:
    """Sends reports over one connection, which is opened again when it breaks.

    Args:
        place: of the server.
        token: for a server elsewhere; it is bound to this host.

    Attributes:
        reason: of the last answer that was not `Answer.TAKEN`, in words.
    """

    def __init__(self, place: Place, token: str = "") -> None:
        self._place, self._token = place, token
        # Read now: the files of certificates may be out of reach once privileges are gone.
        self._context = ssl.create_default_context() if place.secure else None
        self._connection: http.client.HTTPConnection | None = None
        self.reason = ""

    def __str__(self) -> str:
        place = self._place
        return place.unix or f"http{'s' * place.secure}://{place.host}:{place.port}"

    def send(self, report: bytes) -> Answer:
        """Sends a report; waits for the answer, 10 s at most."""
        headers = {"content-type": MEDIA_TYPE}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        try:
            connection = self._connection = self._connection or self._connect()
            connection.request("POST", PATH, report, headers)
            response = connection.getresponse()
            said = response.read().decode(errors="replace").strip()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            self.reason = f"{self} can not be reached: {error}"
            return Answer.LATER
        if response.will_close:
            self.close()
        answer = _meaning(response.status)
        if answer is not Answer.TAKEN:
            self.reason = f"{self} answered {response.status} {said[:500]}"
        return answer

    def _connect(self) -> http.client.HTTPConnection:
        place = self._place
        if place.unix:
            return UnixConnection(place.unix, TIMEOUT_S)
        if self._context:
            return http.client.HTTPSConnection(
                place.host, place.port, timeout=TIMEOUT_S, context=self._context
            )
        return http.client.HTTPConnection(place.host, place.port, timeout=TIMEOUT_S)

    def close(self) -> None:
        """Ends the connection; the next report opens another one."""
        if self._connection:
            self._connection.close()
            self._connection = None


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket; the server sees by it which user we are."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Opens the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def make_destination(url: str, unix: str, token: str, *, plaintext: bool) -> Destination:
    """The destination of a configuration.

    Args:
        url: of a server elsewhere; empty for the one of this machine.
        unix: the path of the latter's socket.
        token: for the former.
        plaintext: whether it may be http, which everybody on the way can read.

    Raises:
        ConfigError: the URL is none, or http without leave, or there is no token.
    """
    if not url:
        return Destination(Place(unix, "", 0, secure=False))
    parts = urlsplit(url)
    try:
        host, port = parts.hostname or "", parts.port
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
    if not token:
        raise ConfigError(
            "a server elsewhere wants a token: `connscope server --agent-token HOST_ID` prints the "
            "one of this host, agent_token_file names the file with it"
        )
    return Destination(Place("", host, port or (443 if secure else 4040), secure), token)


def _meaning(status: int) -> Answer:
    if 200 <= status < 300:
        return Answer.TAKEN
    if status == 409:
        return Answer.NEEDS_FULL
    if status == 429:
        return Answer.SLOWER
    return Answer.REFUSED if status in (400, 413, 415, 422) else Answer.LATER
