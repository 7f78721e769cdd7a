"""An agent of a busy machine: what its two processes take, and how soon the API knows."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from bench.result import Result
from bench.rigs.crowd import Crowd
from bench.rigs.machine import memory_kib
from bench.rigs.tracers import connscope_command, tracing_environment

__all__ = ("measure",)

OPEN = 10_000
NEW_PER_S = 100
WARM_S, SECONDS = 5.0, 30.0
TRIES = 100
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def measure() -> tuple[Result, ...]:
    """Its start and how soon it knows on a quiet machine, then its price on a busy one."""
    with _launch() as quiet:
        ready_s, late_s = quiet.ready_s, sorted(quiet.delay_s() for _ in range(TRIES))
    with Crowd(processes=1, connections=OPEN // 2) as crowd, _launch() as busy:
        busy.traffic(WARM_S)
        before_s, began_s = busy.cpu_s(), time.monotonic()
        busy.traffic(SECONDS)
        share = (busy.cpu_s() - before_s) / (time.monotonic() - began_s)
        capture, report = (memory_kib(pid, "smaps_rollup", "Pss") / 1024 for pid in busy.agent)
        sockets = crowd.sockets
    return (
        Result("launch: from the command to the page", f"{ready_s:.2f} s", "< 3 s", ready_s < 3),
        Result(
            f"launch: from connect() to the API, {TRIES} connections one after the other",
            f"p50 {late_s[TRIES // 2]:.2f} s, p99 {late_s[TRIES - 2]:.2f} s",
            "p99 < 1.5 s",
            late_s[TRIES - 2] < 1.5,
        ),
        Result(
            f"agent: {sockets:,} open sockets, {NEW_PER_S} connections a second more, a look and a "
            f"report each second, for {SECONDS:.0f} s: CPU of both processes",
            f"{share:.2%} of a core",
            "< 2 % of a core",
            share < 0.02,
        ),
        Result(
            "the same: memory (PSS) of both processes",
            f"{capture:.0f} + {report:.0f} MiB",
            "< 60 MB",
            (capture + report) * (1 << 20) < 60e6,
        ),
    )


class _Launched:
    """One that runs.

    Attributes:
        agent: pids of its two processes, the capturing one first.
        ready_s: after what time it said where its page is.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        began_s = time.monotonic()
        said = process.stdout.readline() if process.stdout else ""
        self.ready_s = time.monotonic() - began_s
        parts = urlsplit(said.split()[-1])
        self._headers = {"authorization": f"Bearer {parts.fragment.removeprefix('t=')}"}
        self._http = http.client.HTTPConnection("127.0.0.1", parts.port or 0)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        self.agent = (process.pid, int(children[1]))
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)

    def delay_s(self) -> float:
        """From a connect until the API has the connection."""
        address = self._listener.getsockname()
        with socket.create_connection(address) as client, self._listener.accept()[0]:
            began_s = time.monotonic()
            while not self._knows(client.getsockname()[1]):
                time.sleep(0.01)
            return time.monotonic() - began_s

    def _knows(self, port: int) -> bool:
        path = f"/api/v1/connections?filter=port:{port}%20-state:listen"
        self._http.request("GET", path, headers=self._headers)
        return bool(json.loads(self._http.getresponse().read())["connections"])

    def traffic(self, seconds: float) -> None:
        """So many connections a second that say something and close."""
        address, began_s = self._listener.getsockname(), time.monotonic()
        for number in range(int(seconds * NEW_PER_S)):
            time.sleep(max(0.0, began_s + number / NEW_PER_S - time.monotonic()))
            with socket.create_connection(address) as client, self._listener.accept()[0]:
                client.sendall(b"x")

    def cpu_s(self) -> float:
        """What both processes took so far."""
        total = 0
        for pid in self.agent:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS_PER_S


@contextmanager
def _launch() -> Iterator[_Launched]:
    """In a directory of its own; where one runs already it can not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        environment = tracing_environment() | {
            "CONNSCOPE_SPOOL_DIR": f"{name}/spool",
            "CONNSCOPE_SERVER_SOCKET": f"{name}/connscope.sock",
        }
        command = connscope_command("launch", "--port", "0")
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            try:
                yield _Launched(process)
            finally:
                process.terminate()
