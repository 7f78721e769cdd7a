"""Who may ask: the token or its cookie, from pages of our own, under a name of ours. Agents may
report, each of its own host.

A page of another site can make a browser send requests to 127.0.0.1. It has no token, its Origin is
not ours, and a name of its own that leads here (DNS rebinding) is in Host.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from connscope.tokens import host_of_token

__all__ = ("UNIX", "Access", "Guard", "cookie_header")

OPEN_PATHS = ("/api/v1/session", "/healthz")
REPORTS = "/api/v1/reports"
GUARDED = ("/api/", "/metrics")
SECRETS_IN_QUERY = {"token", "t", "access_token"}
UNIX = "unix"
"""In the place of a client's address; its port is the user then."""

SAFE_METHODS = ("GET", "HEAD")
SECURITY_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; worker-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class Access:
    """The secret, and the names that we are reached by.

    Args:
        token: that who asks must have; at least 16 characters.
        names: of ours, as they stand in Host, without port.
        local_uids: who may send reports over the unix socket without a token.
    """

    def __init__(self, token: str, names: Iterable[str], local_uids: Iterable[int]) -> None:
        if len(token) < 16:
            raise ValueError("a token has 16 characters at least")
        self._token, key = token, token.encode()
        self._session = hmac.new(key, b"session", hashlib.sha256).hexdigest()
        mark = hmac.new(key, b"cookie", hashlib.sha256).hexdigest()[:8]
        self.cookie_name = f"connscope_{mark}"
        self._names = frozenset(name.lower() for name in names)
        self._local_uids = frozenset(local_uids)

    @property
    def session(self) -> str:
        """What the cookie holds; the token can not be got from it."""
        return self._session

    def is_token(self, token: str) -> bool:
        """If somebody knows the secret."""
        return hmac.compare_digest(token.encode(), self._token.encode())

    def bound_host(self, headers: Headers) -> str:
        """The host of which alone somebody may report; empty if there is no such bound."""
        given = _bearer(headers)
        return host_of_token(self._token, given) if given and not self.is_token(given) else ""

    def is_our_name(self, host: str) -> bool:
        """If a Host is one of ours, whatever the port."""
        name = host.rpartition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
        return name.lower() in self._names

    def refuse(self, scope: Scope) -> tuple[int, str] | None:
        """Why a request is refused: status and sentence; None if it is not."""
        headers = Headers(scope=scope)
        if not self.is_our_name(headers.get("host", "")):
            return 421, "this server is not known by that name: see server_names"
        origin = headers.get("origin")
        if origin is not None and not _same_origin(origin, headers["host"]):
            return 403, "pages of other sites may not ask here"
        query = scope.get("query_string", b"").decode("latin-1")
        if SECRETS_IN_QUERY & {name.lower() for name, _ in parse_qsl(query, True)}:
            return 400, "a token in an address ends in logs: send it as Authorization: Bearer"
        path = scope["path"]
        if not path.startswith(GUARDED) or path in OPEN_PATHS:
            return None
        if self._may(scope, headers, origin):
            return None
        return 401, "send the token as Authorization: Bearer, or log in by POST /api/v1/session"

    def _may(self, scope: Scope, headers: Headers, origin: str | None) -> bool:
        given = _bearer(headers)
        if given is not None:
            is_report = _is_report(scope)
            return self.is_token(given) or (is_report and bool(self.bound_host(headers)))
        if self._is_local_report(scope):
            return True
        is_read = scope["type"] == "http" and scope["method"] in SAFE_METHODS
        # A browser says where it comes from whenever something could happen by it.
        return (is_read or origin is not None) and self._has_cookie(headers)

    def _has_cookie(self, headers: Headers) -> bool:
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        found = cookies.get(self.cookie_name)
        return found is not None and hmac.compare_digest(
            found.value.encode(), self._session.encode()
        )

    def _is_local_report(self, scope: Scope) -> bool:
        if not _is_report(scope):
            return False
        client = scope.get("client")
        return client is not None and client[0] == UNIX and client[1] in self._local_uids


class Guard:
    """Lets through what `Access` does not refuse, and adds the security headers to all answers.

    Args:
        app: that is guarded.
        access: who may ask.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or has it answered."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
            await send(message)

        refusal = self._access.refuse(scope)
        if refusal is None:
            await self._app(scope, receive, send_guarded)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            answer = _refusal(*refusal)
            await answer(scope, receive, send_guarded)


def cookie_header(access: Access) -> str:
    """What sets the cookie: no script reads it, no other site has it sent."""
    return f"{access.cookie_name}={access.session}; Path=/; HttpOnly; SameSite=Strict"


def _bearer(headers: Headers) -> str | None:
    """The token of a request; None if it has none."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


def _is_report(scope: Scope) -> bool:
    if scope["type"] != "http":
        return False
    what: tuple[str, str] = (scope["method"], scope["path"])
    return what == ("POST", REPORTS)


def _refusal(status: int, error: str) -> Response:
    headers = {"cache-control": "no-store"}
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    return JSONResponse({"error": error}, status, headers)


def _same_origin(origin: str, host: str) -> bool:
    scheme, _, name = origin.partition("://")
    return scheme in ("http", "https") and name.lower() == host.lower()
