"""Servers that answer as tests want it, in a thread."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

__all__ = ("Answering", "answer", "answering", "close_at_once")


class Answering:
    """What came, and what is said to it.

    Attributes:
        bodies: of requests, in their order.
        heads: the same of their first lines and headers.
        connections: how many were accepted.
        script: what to do with each request, the last one for all that follow.
    """

    def __init__(self, *script: Callable[[socket.socket], bool]) -> None:
        self.script = list(script)
        self.bodies = list[bytes]()
        self.heads = list[str]()
        self.connections = 0

    def serve(self, listener: socket.socket, context: ssl.SSLContext | None) -> None:
        """Until the listener is closed; one connection at a time."""
        with suppress(OSError):
            while True:
                peer, _ = listener.accept()
                self.connections += 1
                with peer, suppress(OSError):
                    if not context:
                        self._speak(peer)
                        continue
                    with context.wrap_socket(peer, server_side=True) as secured:
                        self._speak(secured)

    def _speak(self, peer: socket.socket) -> None:
        while True:
            told = b""
            while b"\r\n\r\n" not in told:
                part = peer.recv(65536)
                if not part:
                    return
                told += part
            head, _, body = told.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split()[0])
            while len(body) < length:
                body += peer.recv(65536)
            self.bodies.append(body)
            self.heads.append(head.decode())
            act = self.script.pop(0) if len(self.script) > 1 else self.script[0]
            if not act(peer):
                return


def answer(status: int, body: bytes = b"", *, then: bool = True) -> Callable[[socket.socket], bool]:
    """Says that; whether it goes on with the connection `then`."""

    def act(peer: socket.socket) -> bool:
        peer.sendall(f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        return then

    return act


def close_at_once(peer: socket.socket) -> bool:
    """Says nothing."""
    return False


@contextmanager
def answering(
    server: Answering, path: str = "", context: ssl.SSLContext | None = None
) -> Iterator[int]:
    """It accepts; gives its port, or 0 if it is at a path."""
    listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
    listener.bind(path or ("127.0.0.1", 0))
    listener.listen()
    thread = threading.Thread(target=server.serve, args=(listener, context), daemon=True)
    thread.start()
    try:
        yield 0 if path else int(listener.getsockname()[1])
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
