"""A server in a process of its own, without rights."""

from __future__ import annotations

import contextlib
import importlib
import os
from dataclasses import dataclass
from pathlib import Path

from connscope.agent.child import Child, leave_privileges
from connscope.cli.port_owner import with_port_owner
from connscope.config import Config
from connscope.errors import ConfigError, FailedError
from connscope.kernel.host.users import User
from connscope.tokens import make_token

__all__ = ("Served", "start_server")

READY = b"+"
PIPE_BYTES = 4096
END_S = 1.5


@dataclass(frozen=True, slots=True)
class Served:
    """A server that takes requests.

    Attributes:
        socket: its path for agents of this machine.
        child: its process.
        url: of its page, with the token.
        token: of the server.
    """

    child: Child
    url: str
    token: str
    socket: Path

    def end(self) -> None:
        """Ends it and takes its socket away, which it has no right to do."""
        self.child.end(END_S)
        with contextlib.suppress(OSError):
            self.socket.unlink()


def start_server(config: Config, user: User, token: str = "") -> Served:
    """Starts one and waits until it can be asked.

    It imports all that it needs and opens its sockets while it may, then becomes that user: the
    tree, or root's own Python, may be out of its reach then.

    Args:
        config: the keys that begin with ``server_``.
        user: that it becomes.
        token: of the server; empty: a new one.

    Raises:
        ConfigError: the port is taken, by whom; or another key is wrong.
        FailedError: it has died.
    """
    token = token or make_token()
    hears, tells = os.pipe()
    parent = os.getpid()

    def serve() -> None:
        os.close(hears)
        server = importlib.import_module("connscope.server.run")
        try:
            sockets = server.open_sockets(config, user.uid)
        except ConfigError as error:
            os.write(tells, str(error).encode()[:PIPE_BYTES])
            return
        application = server.make_application(config, token, user.uid)
        leave_privileges(user, parent)
        port = sockets[0].getsockname()[1]
        os.write(tells, READY + server.page_url(config, port, token).encode())
        os.close(tells)
        server.serve(application, sockets)

    child = Child("server", serve)
    os.close(tells)
    with os.fdopen(hears, "rb") as pipe:
        said = pipe.read()
    if said.startswith(READY):
        return Served(child, said[len(READY) :].decode(), token, Path(config.server_socket))
    child.wait(1.0)
    if said:
        raise ConfigError(with_port_owner(said.decode(errors="replace"), config.server_port))
    raise FailedError("the server", f"it ended with {child.exit_code()} before it was ready")
