"""Network namespaces with connections inside, one of which is replaced every so often.

    python -m bench.rigs.containers NAMESPACES CONNECTIONS REPLACE_S

Says ``ready`` when all are there, and ends when its input does.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from collections import deque

from tests.traffic.namespace import leave_for_good, run

from connscope.kernel.resource import Resource

__all__ = ("Containers",)


class Containers(Resource):
    """As long as the ``with`` lasts.

    Args:
        namespaces: how many at a time.
        connections: of each, over its loopback.
        replace_s: how often the oldest ends and another one begins.
    """

    def __init__(self, namespaces: int, connections: int, replace_s: float) -> None:
        numbers = map(str, (namespaces, connections, replace_s))
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, *numbers],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if not self._process.stdout or not self._process.stdout.readline():
            self.close()
            raise RuntimeError("the containers did not start; they have said why")

    def close(self) -> None:
        """Ends all of them; a second call does nothing."""
        self._process.communicate()


def start_one(connections: int) -> int:
    """A process in a namespace of its own that holds so many connections; its pid."""
    told, tells = os.pipe()
    child = os.fork()
    if not child:
        leave_for_good()
        run("ip link set lo up")
        listener = socket.create_server(("127.0.0.1", 0), backlog=connections)
        held = [socket.create_connection(listener.getsockname()) for _ in range(connections)]
        held += [listener.accept()[0] for _ in range(connections)]
        os.write(tells, b"x")
        signal.pause()
    os.close(tells)
    os.read(told, 1)
    os.close(told)
    return child


def end_one(pid: int) -> None:
    """Kills it; the kernel takes away its namespace."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def main() -> None:
    """Starts them, replaces one after the other, ends them."""
    namespaces, connections, replace_s = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    running = deque(start_one(connections) for _ in range(namespaces))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while not select.select([sys.stdin], [], [], replace_s)[0]:
        end_one(running.popleft())
        running.append(start_one(connections))
    for pid in running:
        end_one(pid)


if __name__ == "__main__":
    main()
