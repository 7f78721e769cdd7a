"""Who opens a connection and does not ask is not waited for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from connscope.server import http_protocol
from connscope.server.http_protocol import PeerProtocol

HEAD_S = 0.05
PATIENCE_S = 10
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def slow_app(scope: Any, receive: Any, send: Any) -> None:
    """Answers after longer than a head may take."""
    await asyncio.sleep(3 * HEAD_S)
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def spoken(talk: Callable[[Streams], Awaitable[bytes]]) -> bytes:
    """What comes of talking to a server."""

    async def run() -> bytes:
        config = uvicorn.Config(slow_app, ws="none", lifespan="off", log_config=None)
        config.load()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: PeerProtocol(config, ServerState(), {}), "127.0.0.1", 0
        )
        async with server, asyncio.timeout(PATIENCE_S):
            streams = await asyncio.open_connection(*server.sockets[0].getsockname())
            try:
                return await talk(streams)
            finally:
                streams[1].close()

    return asyncio.run(run())


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "HEAD_S", HEAD_S)


@pytest.mark.parametrize("begin", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nhost: x\r\n"])
def test_head_that_does_not_come_is_not_waited_for(begin: bytes):
    """Whether nothing came or nearly all of it."""

    async def talk(streams: Streams) -> bytes:
        streams[1].write(begin)
        return await streams[0].read()

    assert spoken(talk) == b""


def test_head_that_trickles_is_not_waited_for():
    """Each byte alone would begin the time anew."""

    async def talk(streams: Streams) -> bytes:
        reader, writer = streams
        writer.write(b"GET / HTTP/1.1\r\n")
        answer = asyncio.ensure_future(reader.read())
        while not answer.done():
            writer.write(b"x: y\r\n")
            await asyncio.wait((answer,), timeout=HEAD_S / 5)
        return answer.result()

    with contextlib.suppress(ConnectionResetError):  # it was closed while we wrote: the same
        assert spoken(talk) == b""


def test_answer_may_take_longer():
    """The time is of the head alone, on a connection that is used again too."""

    async def talk(streams: Streams) -> bytes:
        reader, writer = streams
        answer = b""
        for _ in range(2):
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            answer += await reader.readuntil(b"\r\n\r\n")
        return answer

    assert spoken(talk).count(b"204 No Content") == 2
