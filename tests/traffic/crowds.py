"""Many connections: at once, by many processes and threads, one after the other on one port."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

from tests.traffic.kinds import kind
from tests.traffic.network import accept_in
from tests.traffic.party import Party, connect, listen, loopback, new_socket
from tests.traffic.report import End

REQUEST, ANSWER = 100, 300


@kind
def bursts(
    bursts: int = 3, connections: int = 100, rest_ms: int = 50, v6: int = 0
) -> Iterator[End]:
    """Many connections opened at once, used, closed at once; a rest; again"""
    with listen(loopback(v6)) as listener:
        for burst in range(bursts):
            time.sleep(rest_ms / 1000 if burst else 0)
            pairs = [accept_in(listener) for _ in range(connections)]
            for client, server in pairs:
                client.send(REQUEST)
                server.receive(REQUEST)
            for pair in pairs:
                yield from (party.close() for party in pair)


@kind
def prefork(workers: int = 4, connections: int = 40) -> Iterator[End]:
    """A server whose children accept on the listener that it opened"""
    with listen("127.0.0.1") as listener:
        children = [Child(lambda: list(serve(listener))) for _ in range(workers)]
        for _ in range(connections):
            yield request(listener.getsockname())
        listener.shutdown(socket.SHUT_RDWR)
        for child in children:
            yield from child.ends()


@kind
def threads(threads: int = 8, connections: int = 10) -> Iterator[End]:
    """Clients and servers that are threads of one process"""
    with listen("127.0.0.1") as listener, ThreadPoolExecutor(2 * threads) as pool:
        servers = [pool.submit(lambda: list(serve(listener))) for _ in range(threads)]
        clients = [
            pool.submit(lambda: [request(listener.getsockname()) for _ in range(connections)])
            for _ in range(threads)
        ]
        for each in clients:
            yield from each.result()
        listener.shutdown(socket.SHUT_RDWR)
        for each in servers:
            yield from each.result()


@kind
def port_reuse(connections: int = 50) -> Iterator[End]:
    """The same addresses and ports again and again, within a millisecond"""
    with listen("127.0.0.1") as listener:
        port = 0
        for number in range(1, connections + 1):
            made = new_socket(socket.AF_INET)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(("127.0.0.1", port))
            port = made.getsockname()[1]
            made.connect(listener.getsockname())
            client, server = Party(made, "client"), Party(listener.accept()[0], "server")
            client.send(number)
            server.receive(number)
            yield client.reset()  # or the port would wait in TIME_WAIT
            server.wait_for_reset()
            yield server.close()


@kind
def idle(seconds: int = 120, v6: int = 0) -> Iterator[End]:
    """Some bytes, then nothing for long, then some bytes"""
    client, server = connect(loopback(v6))
    for rest_s in (seconds, 0):
        client.send(REQUEST)
        server.receive(REQUEST)
        time.sleep(rest_s)
    yield client.close()
    yield server.close()


def request(address: tuple[str, int]) -> End:
    """One connection as its client has it; the server answers and closes first."""
    made = new_socket(socket.AF_INET)
    made.connect(address)
    client = Party(made, "client")
    client.send(REQUEST)
    client.receive(ANSWER)
    client.receive_rest()
    return client.close()


def serve(listener: socket.socket) -> Iterator[End]:
    """Answers each connection until the listener is shut down."""
    listener.setblocking(True)
    while True:
        try:
            made = listener.accept()[0]
        except OSError:
            return
        server = Party(made, "server")
        server.receive(REQUEST)
        server.send(ANSWER)
        yield server.close()


class Child:
    """A child process that makes some ends."""

    def __init__(self, work: Callable[[], Iterable[End]]) -> None:
        self._outlet, inlet = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            with os.fdopen(inlet, "w") as report:
                json.dump([asdict(end) for end in work()], report)
            os._exit(0)
        os.close(inlet)

    def ends(self) -> list[End]:
        """Waits for the child and returns what it made."""
        with os.fdopen(self._outlet) as report:
            ends = [End(**end) for end in json.load(report)]
        assert os.waitpid(self._pid, 0)[1] == 0
        return ends
