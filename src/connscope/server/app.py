"""The routes of the API: what is asked is checked, and answered as docs/api.md says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp

from connscope.errors import UsageError
from connscope.filter import FilterError
from connscope.server.access import Guard, cookie_header
from connscope.server.answers import host_objects, listener_objects, topology_object
from connscope.server.details import connections_object, edge_object, node_object
from connscope.server.lateness import AGE, told_age_s
from connscope.server.metrics import metrics_text
from connscope.server.openapi import description
from connscope.server.pages import Pages
from connscope.server.parameters import view_in
from connscope.server.state import Server
from connscope.server.stream import Streams

__all__ = ("make_app",)

API = "/api/v1"
SESSION_BYTES = 4096
KEEP_UP_S = 0.9
"""More often than a topology gets old."""
Answer = Callable[[Request], Awaitable[Response]]


class Session(msgspec.Struct):
    """What somebody logs in with."""

    token: str


def make_app(server: Server, pages: Pages | None = None) -> ASGIApp:
    """The whole server as an ASGI application.

    Args:
        server: what it answers from.
        pages: None: those that are shipped.
    """
    routes = _Routes(server)
    streams = Streams(server)
    paths: dict[str, Answer] = {
        "topology": routes.topology,
        "connections": routes.connections,
        "nodes/{id:path}": routes.node,
        "edges/{id:path}": routes.edge,
        "listeners": routes.listeners,
        "hosts": routes.hosts,
        "openapi.json": routes.openapi,
    }
    found = [Route(f"{API}/{path}", answer) for path, answer in paths.items()]
    app = Starlette(
        routes=[
            *found,
            Route(f"{API}/session", routes.log_in, methods=["POST"]),
            Route(f"{API}/reports", routes.reports, methods=["POST"]),
            WebSocketRoute(f"{API}/stream", streams.serve),
            Route("/metrics", routes.metrics),
            Route("/healthz", routes.health),
            Route("/", (pages or Pages()).answer),
            Route("/{name:path}", (pages or Pages()).answer),
        ],
        exception_handlers={
            HTTPException: _http_error,
            UsageError: _usage_error,
            LookupError: _lookup_error,
        },
        lifespan=_keeping_up(server),
    )
    return Guard(app, server.access)


class _Routes:
    """What answers each request."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def log_in(self, request: Request) -> Response:
        """Swaps the token for a cookie."""
        content = bytearray()
        async for part in request.stream():
            content += part
            if len(content) > SESSION_BYTES:
                raise HTTPException(413, "send only the token")
        try:
            session = msgspec.json.decode(content, type=Session)
        except msgspec.MsgspecError:
            raise HTTPException(422, 'send {"token": "…"}') from None
        if not self._server.access.is_token(session.token):
            raise HTTPException(401, "that is not the token: take the one printed at start")
        cookie = cookie_header(self._server.access)
        return Response(
            status_code=204, headers={"set-cookie": cookie, "cache-control": "no-store"}
        )

    async def reports(self, request: Request) -> Response:
        """Takes a report."""
        declared = request.headers.get("content-length", "")
        length = int(declared) if declared.isascii() and declared.isdigit() else None
        host = self._server.access.bound_host(request.headers)
        sender = host or (str(request.client[0]) if request.client else "")
        age_s = told_age_s(request.headers.get(AGE, ""))
        outcome = await self._server.intake.take(request.stream(), length, sender, host, age_s)
        if outcome.status == 204:
            self._server.told()
            return Response(status_code=204)
        answer = {"error": outcome.error} | ({"need": outcome.need} if outcome.need else {})
        again = {"retry-after": "1"} if outcome.status == 429 else {}
        return _json(answer, outcome.status, again)

    async def topology(self, request: Request) -> Response:
        """Who talks to whom."""
        server = self._server
        sight = server.sight(view_in(request.query_params, server.config.window_s))
        return _json(topology_object(server.live, sight))

    async def connections(self, request: Request) -> Response:
        """Single connections."""
        return _json(connections_object(self._server, request.query_params))

    async def node(self, request: Request) -> Response:
        """One node."""
        return _json(node_object(self._server, request.path_params["id"], request.query_params))

    async def edge(self, request: Request) -> Response:
        """One edge."""
        return _json(edge_object(self._server, request.path_params["id"], request.query_params))

    async def listeners(self, request: Request) -> Response:
        """What listens."""
        live, now_s = self._server.live, self._server.clock()
        grouping = live.grouping("process", now_s)
        mask = live.mask(request.query_params.get("filter", ""), now_s)
        chosen = None if mask is None else mask.nonzero()[0].tolist()
        return _json({"listeners": listener_objects(live, grouping, chosen)})

    async def hosts(self, request: Request) -> Response:
        """The hosts and how well they are watched."""
        return _json({"hosts": host_objects(self._server.live, self._server.clock())})

    async def openapi(self, request: Request) -> Response:
        """This API, for machines."""
        return _json(description())

    async def metrics(self, request: Request) -> Response:
        """How the server is doing."""
        media_type = "text/plain; version=0.0.4; charset=utf-8"
        return Response(metrics_text(self._server), media_type=media_type)

    async def health(self, request: Request) -> Response:
        """That the server is there."""
        return _json({"status": "ok"})


def _json(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(
        msgspec.json.encode(content),
        status,
        {"cache-control": "no-store"} | (headers or {}),
        "application/json",
    )


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else ""
    return _json({"error": detail}, status)


async def _usage_error(request: Request, error: Exception) -> Response:
    answer: dict[str, Any] = {"error": str(error)}
    if isinstance(error, FilterError):
        answer = {"error": error.reason, "position": error.position}
    return _json(answer, 400)


async def _lookup_error(request: Request, error: Exception) -> Response:
    return _json({"error": str(error.args[0] if error.args else error)}, 404)


def _keeping_up(
    server: Server,
) -> Callable[[Starlette], contextlib.AbstractAsyncContextManager[None]]:
    """Takes in every second what came, so that the first who asks need not wait for all of it."""

    async def keep_up() -> None:
        clock = asyncio.get_running_loop().time
        due_s = clock()
        while True:
            server.live.keep_up(server.clock(), server.wall())
            due_s = max(due_s + KEEP_UP_S, clock())
            await asyncio.sleep(due_s - clock())

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(keep_up())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    return lifespan
