"""A network namespace of its own: its counters are moved by nobody else's traffic."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.traffic.build import built

from connscope.kernel.resource import Resource

__all__ = ("PrivateNetwork",)

TRAFFIC_TIMEOUT_S = 60.0


class PrivateNetwork(Resource):
    """A namespace with a loopback device, as long as the ``with`` lasts.

    Attributes:
        inode: what rows call it (`netns`).
    """

    def __init__(self) -> None:
        # The shell says when the device is up, and lives until its input ends.
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && read _"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        if not self._holder.stdout or self._holder.stdout.readline() != b"up\n":
            raise RuntimeError("no network namespace: this needs root, unshare and ip")
        self._path = Path(f"/proc/{self._holder.pid}/ns/net")
        self.inode = self._path.stat().st_ino

    def run(self, program: str, *arguments: object) -> Mapping[str, Any]:
        """Runs a program of tests/traffic in it; what it says of its own work."""
        command = self._command(program, arguments)
        done = subprocess.run(
            command, stdout=subprocess.PIPE, check=True, timeout=TRAFFIC_TIMEOUT_S
        )
        found: Mapping[str, Any] = json.loads(done.stdout)
        return found

    def start(
        self, program: str, *arguments: object, stdin: int | None = None
    ) -> subprocess.Popen[bytes]:
        """Starts a program of tests/traffic in it."""
        command = self._command(program, arguments)
        return subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE)

    def spawn(self, *command: str) -> subprocess.Popen[bytes]:
        """Starts any program in it; what it prints goes nowhere."""
        return subprocess.Popen(self._inside(*command), stdout=subprocess.DEVNULL)

    def call(self, *command: str, env: dict[str, str] | None = None) -> str:
        """Runs any program in it; what it prints."""
        return subprocess.run(
            self._inside(*command), stdout=subprocess.PIPE, check=True, text=True, env=env
        ).stdout

    def _command(self, program: str, arguments: tuple[object, ...]) -> list[str]:
        return self._inside(str(built(program)), *map(str, arguments))

    def _inside(self, *command: str) -> list[str]:
        return ["nsenter", f"--net={self._path}", *command]

    def tcp_counters(self) -> Mapping[str, int]:
        """The kernel's own TCP counters of this namespace."""
        snmp = Path(f"/proc/{self._holder.pid}/net/snmp").read_text()
        names, values = (line.split()[1:] for line in snmp.splitlines() if line.startswith("Tcp:"))
        return {name: int(value) for name, value in zip(names, values, strict=True)}

    def close(self) -> None:
        """Lets the namespace go; a second call does nothing."""
        self._holder.communicate()
