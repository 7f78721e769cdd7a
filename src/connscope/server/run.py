"""Runs a server: its sockets, its token, its process.

For a launcher that starts as root: `open_sockets`, `make_application`, then drop privileges, then
`serve`.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import socket
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from connscope.config import Config
from connscope.errors import ConfigError
from connscope.server.access import Access
from connscope.server.app import make_app
from connscope.server.http_protocol import PeerProtocol
from connscope.server.state import make_server
from connscope.server.stream import MESSAGE_BYTES

__all__ = ("make_application", "open_sockets", "page_url", "serve")

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
BACKLOG = 512
KEEP_ALIVE_S = 75
IMPORTED_LATE = (
    "anyio._backends._asyncio",
    "encodings.idna",
    "numpy.ma",  # by numpy.unique
    "uvicorn.lifespan.on",
)
"""What others import when they first need it: then it may be out of reach."""

GRACE_S = 3


def page_url(config: Config, port: int, token: str) -> str:
    """Where a browser finds the page; what follows # is never sent to a server."""
    host = f"[{config.server_host}]" if ":" in config.server_host else config.server_host
    return f"http://{host}:{port}/#t={token}"


def open_sockets(config: Config, owner_uid: int = -1) -> list[socket.socket]:
    """The sockets of a server: TCP, and the unix one for local agents unless it is switched off.

    Args:
        config: `server_host`, `server_port`, `server_socket`.
        owner_uid: of the server's process, who gets the unix socket; -1: us.

    Raises:
        ConfigError: an address or a path can not be had.
    """
    sockets = [_open_tcp(config)]
    if config.server_socket:
        try:
            sockets.append(_open_unix(Path(config.server_socket), owner_uid))
        except ConfigError:
            sockets[0].close()
            raise
    return sockets


def _open_tcp(config: Config) -> socket.socket:
    address = config.server_host.strip("[]")
    try:
        family, *_, place = socket.getaddrinfo(
            address, config.server_port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise ConfigError(f"server_host is {address!r}: {error.strerror}") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"can not listen on {address} port {config.server_port}: {error.strerror}; choose "
            "another one with --port"
        ) from error
    return listener


def _open_unix(path: Path, owner_uid: int) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if path.is_socket() and not _is_served(path):
            path.unlink()
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        os.chown(path, owner_uid, -1)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigError(f"can not listen on {path}: {error.strerror}") from error
    return listener


def _is_served(path: Path) -> bool:
    """If somebody accepts there; a socket stays behind when a server is killed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return False
    return True


def make_application(config: Config, token: str, uid: int) -> uvicorn.Server:
    """A server that has read and imported all that it needs; it may give up its rights then.

    Args:
        config: of connscope.
        token: that who asks must have.
        uid: that it will run as: agents of this user need no token.
    """
    names = {*LOOPBACK, config.server_host, f"[{config.server_host.strip('[]')}]"}
    names |= {name.strip() for name in config.server_names.split(",") if name.strip()}
    access = Access(token, names, local_uids={0, uid})
    options = uvicorn.Config(
        make_app(make_server(config, access)),
        http=PeerProtocol,
        ws="websockets-sansio",
        ws_max_size=MESSAGE_BYTES,
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # a header must not say who somebody is
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
        backlog=BACKLOG,
    )
    options.load()
    options.get_loop_factory()
    for name in IMPORTED_LATE:
        importlib.import_module(name)
    return _Server(options)


def serve(application: uvicorn.Server, sockets: Sequence[socket.socket]) -> None:
    """Serves until SIGTERM or SIGINT, which are raised again when all is closed.

    Args:
        application: of `make_application`.
        sockets: of `open_sockets`, or inherited; they are closed at the end.
    """
    try:
        application.run(sockets=list(sockets))
    finally:
        for each in sockets:
            each.close()


class _Server(uvicorn.Server):
    """A server that leaves no socket behind; signals are raised again right after its end."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends all connections."""
        unix = [each for each in sockets or () if each.family == socket.AF_UNIX]
        paths = [Path(each.getsockname()) for each in unix]
        await super().shutdown(sockets)
        for path in paths:
            # Who has no right to the directory any more leaves it to the next start.
            with contextlib.suppress(OSError):
                path.unlink()
