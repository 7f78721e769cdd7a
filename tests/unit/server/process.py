"""A server in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx2

__all__ = ("Running", "running", "speak")

END_S = 20


@dataclass
class Running:
    """The process.

    Attributes:
        url: that it printed.
        socket: for local agents.
    """

    process: subprocess.Popen[str]
    url: str
    socket: Path

    @property
    def token(self) -> str:
        """After the #."""
        return urlsplit(self.url).fragment.removeprefix("t=")

    @property
    def port(self) -> int:
        """Of TCP."""
        return urlsplit(self.url).port or 0

    def client(self, token: str = "") -> httpx2.Client:
        """Somebody with the token."""
        headers = {"authorization": f"Bearer {token or self.token}"}
        return httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers)

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Ends it: its code and what else it said."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=END_S)
        return self.process.returncode, out, err


@contextmanager
def running(directory: Path, *arguments: str) -> Iterator[Running]:
    """``connscope server`` on any free port; it accepts when this begins."""
    path = directory / "run" / "connscope.sock"
    command = [sys.executable, "-B", "-W", "error", "-m", "connscope.cli", "server"]
    process = subprocess.Popen(
        [*command, "--port", "0", "--socket", str(path), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={name: text for name, text in os.environ.items() if not name.startswith("CONNSCOPE_")},
    )
    try:
        assert process.stdout
        # Its sockets listen before it says where; the first request waits in their queue.
        yield Running(process, process.stdout.readline().strip(), path)
    finally:
        process.kill()
        process.communicate()


def speak(path: Path, request: bytes) -> bytes:
    """One request over a unix socket, and all of the answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer
