"""Many connections to one listener, both ends in this process."""

from __future__ import annotations

import socket

from connscope.kernel.resource import Resource

__all__ = ("Crowd", "Pair")

Pair = tuple[socket.socket, socket.socket]
BACKLOG = 1024


class Crowd(Resource):
    """Connections that it has opened and not closed are closed at its end.

    Args:
        listener: in place of one on loopback.

    Attributes:
        port: of the listener.
        pairs: all that are open: client and server of each.
    """

    def __init__(self, listener: socket.socket | None = None) -> None:
        self._listener = listener or socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        self.port = int(self._listener.getsockname()[1])
        self.pairs: list[Pair] = []

    def open(self, count: int) -> list[Pair]:
        """So many more."""
        made = list[Pair]()
        for _ in range(count):
            client = socket.create_connection(self._listener.getsockname()[:2])
            made.append((client, self._listener.accept()[0]))
        self.pairs += made
        return made

    def close_all(self, pairs: list[Pair]) -> None:
        """The clients first."""
        for client, server in pairs:
            client.close()
            server.close()
        closed = {id(pair) for pair in pairs}
        self.pairs = [pair for pair in self.pairs if id(pair) not in closed]

    def churn(self, count: int) -> None:
        """So many that open and close at once."""
        for _ in range(count):
            self.close_all(self.open(1))

    @staticmethod
    def exchange(pairs: list[Pair], size: int) -> None:
        """Each client sends so many bytes."""
        for client, server in pairs:
            client.sendall(bytes(size))
            left = size
            while left:
                left -= len(server.recv(left))

    @staticmethod
    def ends(pairs: list[Pair]) -> list[tuple[int, int]]:
        """Local and peer port of each end, sorted."""
        sockets = [end for pair in pairs for end in pair]
        return sorted((end.getsockname()[1], end.getpeername()[1]) for end in sockets)

    def close(self) -> None:
        """All of them, and the listener."""
        self.close_all(self.pairs)
        self._listener.close()
