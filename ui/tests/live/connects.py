# ruff: noqa: T201 it answers on the standard output
"""Connects when told to, and says when.

Each line of the standard input is a number of connections. For each, a new listener on loopback and
a connection to it, which stays. A line of JSON is printed: of each the port, and the moment before
connect() in ms since 1970. A line `refused` connects to where nobody listens.
"""

from __future__ import annotations

import json
import socket
import sys
import time

SPACING_S = 0.17
"""Not a divisor of the second of the reports, so that all moments of it are met."""


def now_ms() -> float:
    """The clock that a browser has, too."""
    return time.time_ns() / 1e6


def connected(kept: list[socket.socket]) -> tuple[int, float]:
    """Makes one; returns its port and the moment."""
    listener = socket.create_server(("127.0.0.1", 0))
    address = listener.getsockname()
    began = now_ms()
    client = socket.create_connection(address)
    accepted, _ = listener.accept()
    client.sendall(b"x" * 1000)
    accepted.recv(1000)
    kept += listener, client, accepted
    return address[1], began


def refused() -> tuple[int, float]:
    """Fails to make one; returns the port and the moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    began = now_ms()
    with socket.socket() as client:
        client.connect_ex(address)
    return address[1], began


def main() -> None:
    """Until the standard input ends."""
    kept = list[socket.socket]()
    for line in sys.stdin:
        made = []
        if line.strip() == "refused":
            made.append(refused())
        else:
            for _ in range(int(line)):
                made.append(connected(kept))
                time.sleep(SPACING_S)
        print(json.dumps(made), flush=True)


if __name__ == "__main__":
    main()
