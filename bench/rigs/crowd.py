"""Many open connections in a namespace of their own, and programs that look at them."""

from __future__ import annotations

import json
import subprocess

from bench.rigs.network import PrivateNetwork
from connscope.kernel.resource import Resource

__all__ = ("Crowd",)


class Crowd(Resource):
    """Idle connections as long as the ``with`` lasts, both ends of each.

    Args:
        processes: that hold them; an fd table has room for some ten thousand.
        connections: of each process.

    Attributes:
        sockets: how many there are, without the listeners.
    """

    def __init__(self, processes: int, connections: int) -> None:
        self._network = PrivateNetwork()
        self._holder = self._network.start("crowd", processes, connections, stdin=subprocess.PIPE)
        said = self._holder.stdout.readline() if self._holder.stdout else b""
        if not said:
            self.close()
            raise RuntimeError("the crowd did not come together; it has said why")
        self.sockets = int(json.loads(said)["sockets"])

    def run(self, *command: str, env: dict[str, str] | None = None) -> str:
        """Runs a program in the namespace; what it prints."""
        return self._network.call(*command, env=env)

    def close(self) -> None:
        """Lets them go; a second call does nothing."""
        self._holder.communicate()
        self._network.close()
