"""A server without sockets, and clients that speak to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from connscope.config import Config
from connscope.report.encode import encode
from connscope.report.report import Report
from connscope.server.access import Access
from connscope.server.app import make_app
from connscope.server.pages import WEB, Pages
from connscope.server.state import Server, make_server
from tests.unit.server.reports import WALL_NS

TOKEN = "-".join(("tests", "know", "this", "secret"))
BEARER = {"authorization": f"Bearer {TOKEN}"}
ADDRESS = "http://127.0.0.1:4040"
STREAM = "ws://127.0.0.1:4040/api/v1/stream"


def made_server(**config: Any) -> Server:
    """A server whose clock stands at 100 s."""
    names = ("127.0.0.1", "localhost", "[::1]")
    server = make_server(Config(**config), Access(TOKEN, names, local_uids={0}))
    server.clock, server.wall = lambda: 100.0, lambda: WALL_NS
    return server


def made_client(server: Server, directory: Path = WEB) -> TestClient:
    """Somebody who asks."""
    return TestClient(make_app(server, Pages(directory)), ADDRESS)


@contextmanager
def authorized(server: Server | None = None) -> Iterator[TestClient]:
    """Somebody who has the token."""
    with made_client(server or made_server()) as client:
        client.headers |= BEARER
        yield client


def post(client: TestClient, report: Report, token: str = TOKEN) -> int:
    """Sends a report; the status."""
    headers = {"authorization": f"Bearer {token}"}
    answer = client.post("/api/v1/reports", content=encode(report), headers=headers)
    status: int = answer.status_code
    return status
