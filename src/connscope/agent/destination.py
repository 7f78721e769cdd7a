"""Where reports go: to the server of this machine by unix socket, or to one elsewhere by https."""

from __future__ import annotations

import http.client
import socket
import ssl
from enum import Enum

from connscope.agent.place import Place
from connscope.row.outside_text import printable

__all__ = ("Answer", "Destination")

PATH = "/api/v1/reports"
TIMEOUT_S = 10.0
ANSWER_BYTES, SHOWN_BYTES = 4096, 300
MEDIA_TYPE = "application/vnd.connscope.report"
AGE = "connscope-age-ms"
"""The header that says how long a report waited; no two clocks need to agree for it."""


class Answer(Enum):
    """What became of a report."""

    TAKEN = "taken"
    NEEDS_FULL = "the server missed something before it"
    REFUSED = "the server will never take this one"
    SLOWER = "the server has had enough for a moment"
    LATER = "the server is busy or away"


class Destination:
    """Sends reports over one connection, which is opened again when it breaks.

    Args:
        place: of the server.
        token: for a server elsewhere; it is bound to this host.
        timeout_s: how long the server may say nothing.

    Attributes:
        reason: of the last answer that was not `Answer.TAKEN`, in words.
    """

    def __init__(self, place: Place, token: str = "", timeout_s: float = TIMEOUT_S) -> None:
        self._place, self._token, self._timeout_s = place, token, timeout_s
        # Read now: the files of certificates may be out of reach once privileges are gone.
        self._context = ssl.create_default_context() if place.secure else None
        self._connection: http.client.HTTPConnection | None = None
        self.reason = ""

    def __str__(self) -> str:
        return str(self._place)

    def send(self, report: bytes, age_s: float = 0.0) -> Answer:
        """Sends a report; waits for the answer, 10 s at most.

        Args:
            report: encoded.
            age_s: for how long it has waited.
        """
        try:
            status, said = self._ask(report, str(round(age_s * 1000)))
        except (OSError, http.client.HTTPException) as error:
            self.close()
            self.reason = f"{self} can not be reached: {_words(error)}"
            return Answer.LATER
        answer = _meaning(status)
        if answer is not Answer.TAKEN:
            self.reason = f"{self} answered {status} {said}"
        return answer

    def _ask(self, report: bytes, age_ms: str) -> tuple[int, str]:
        was_open = self._connection is not None
        try:
            return self._ask_once(report, age_ms)
        except (ConnectionResetError, BrokenPipeError):
            self.close()
            if not was_open:
                raise
            # Between two reports it may have grown tired of the connection, which is no failure.
            return self._ask_once(report, age_ms)

    def _ask_once(self, report: bytes, age_ms: str) -> tuple[int, str]:
        headers = {"content-type": MEDIA_TYPE, AGE: age_ms}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        connection = self._connection = self._connection or self._connect()
        connection.request("POST", PATH, report, headers)
        response = connection.getresponse()
        said = response.read(ANSWER_BYTES)
        if not response.isclosed():  # that was not all, and nobody wants to hear the rest
            self.close()
        return response.status, printable(said[:SHOWN_BYTES].strip())

    def _connect(self) -> http.client.HTTPConnection:
        place = self._place
        if place.unix:
            return UnixConnection(place.unix, self._timeout_s)
        if self._context:
            return http.client.HTTPSConnection(
                place.host, place.port, timeout=self._timeout_s, context=self._context
            )
        return http.client.HTTPConnection(place.host, place.port, timeout=self._timeout_s)

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


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted: {error.verify_message}"
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or repr(error)


def _meaning(status: int) -> Answer:
    if 200 <= status < 300:
        return Answer.TAKEN
    if status == 409:
        return Answer.NEEDS_FULL
    if status == 429:
        return Answer.SLOWER
    return Answer.REFUSED if status in (400, 413, 415, 422) else Answer.LATER
