"""A server that a hundred agents report to, each with ten thousand open connections.

Reports are made and encoded before the clock runs. Both ends of each connection are reported, as
in a fleet that talks to itself, so there are a million ends of half a million connections. A page
is fed meanwhile, and the same topology and another one are asked for over HTTP.
"""

from __future__ import annotations

import http.client
import json
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from bench.result import Result, spread
from bench.rigs.fleet import Fleet
from bench.rigs.machine import memory_kib
from bench.rigs.tracers import connscope_command, tracing_environment
from connscope.report.encode import encode
from connscope.row.columns import ROW

__all__ = ("measure",)

HOSTS = 100
CONNECTIONS = 10_000
WARM_S = 5
SECONDS = 30
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
API = "/api/v1"


def measure() -> tuple[Result, ...]:
    """One core, nothing refused, 50 ms for a topology; and what it takes of memory."""
    fleet = Fleet(HOSTS, CONNECTIONS)
    first = [encode(report) for report in fleet.full()]
    seconds = [[encode(report) for report in fleet.second()] for _ in range(WARM_S + SECONDS)]
    with _server() as server:
        statuses = [server.post(content) for content in first]
        with server.feed() as feed:
            reader = threading.Thread(target=_read, args=(feed,), daemon=True)
            reader.start()
            for contents in seconds[:WARM_S]:
                statuses += server.second(contents)
            server.shared_ms.clear()
            server.other_ms.clear()
            server.new_ms.clear()
            began_cpu_s, began_s = server.cpu_s(), time.monotonic()
            for contents in seconds[WARM_S:]:
                statuses += server.second(contents)
            share = (server.cpu_s() - began_cpu_s) / (time.monotonic() - began_s)
        pss_mib = memory_kib(server.pid, "smaps_rollup", "Pss") / 1024
    refused = len(statuses) - statuses.count(204)
    return _results(share, refused, server, pss_mib)


def _results(share: float, refused: int, server: _Server, pss_mib: float) -> tuple[Result, ...]:
    middle = max(statistics.median(times) for times in (server.shared_ms, server.other_ms))
    return (
        Result(
            f"server: {HOSTS} agents with {CONNECTIONS:,} open connections each, 1 % changing in "
            f"a second, one report a second each, for {SECONDS} s, with a page that looks on",
            f"{share:.2f} of a core; {refused} reports refused",
            "< 1 core; none refused",
            share < 1 and refused == 0,
        ),
        Result(
            "the same: GET topology of the view that is fed, and of another one that is asked for "
            "every second",
            f"{spread(server.shared_ms, 0)} ms; {spread(server.other_ms, 0)} ms",
            "< 50 ms",
            middle < 50,
        ),
        Result(
            "the same: GET topology with a filter that nobody asked for before",
            f"{spread(server.new_ms, 0)} ms",
            "< 50 ms",
            statistics.median(server.new_ms) < 50,
        ),
        Result(
            "the same: memory (PSS)",
            f"{pss_mib:,.0f} MiB, {pss_mib * (1 << 20) / HOSTS / CONNECTIONS:.0f} bytes an end",
            "<= 3 times the rows, 672 bytes",
            pss_mib * (1 << 20) / HOSTS / CONNECTIONS <= 3 * ROW.itemsize,
        ),
    )


class _Server:
    """A server of this tree, and somebody who speaks to it.

    Attributes:
        pid: of its process.
        shared_ms, other_ms, new_ms: how long topologies took.
        asked: how many new ones.
    """

    def __init__(self, pid: int, url: str) -> None:
        self.pid = pid
        parts = urlsplit(url)
        self._port = parts.port or 0
        self._headers = {"authorization": f"Bearer {parts.fragment.removeprefix('t=')}"}
        self._http = http.client.HTTPConnection("127.0.0.1", self._port)
        self.shared_ms = list[float]()
        self.other_ms = list[float]()
        self.new_ms = list[float]()
        self.asked = 0

    def post(self, report: bytes) -> int:
        """Sends a report; the status."""
        self._http.request("POST", f"{API}/reports", report, self._headers)
        answer = self._http.getresponse()
        answer.read()
        return answer.status

    def second(self, reports: list[bytes]) -> list[int]:
        """Sends what all agents report in a second, over a second; asks twice meanwhile."""
        began = time.monotonic()
        statuses = list[int]()
        for number, report in enumerate(reports):
            time.sleep(max(0.0, began + number / len(reports) - time.monotonic()))
            statuses.append(self.post(report))
            if number == len(reports) // 2:
                self.shared_ms.append(self._topology_ms("process"))
                self.other_ms.append(self._topology_ms("executable"))
            if number == len(reports) // 4:
                self.new_ms.append(self._topology_ms("process", f"tx<{10**15 + self.asked}"))
                self.asked += 1
        time.sleep(max(0.0, began + 1 - time.monotonic()))
        return statuses

    def _topology_ms(self, group: str, text: str = "") -> float:
        path = f"{API}/topology?group={group}&filter={quote(text)}"
        began = time.perf_counter()
        self._http.request("GET", path, headers=self._headers)
        answer = self._http.getresponse()
        content = answer.read()
        took = (time.perf_counter() - began) * 1e3
        found = json.loads(content)["totals"]["connections"]
        # A connection that closed and opened anew is told by one end first.
        if abs(found / (HOSTS * CONNECTIONS / 2) - 1) > 0.001:
            raise ValueError(f"the topology has {found} connections")
        return took

    def cpu_s(self) -> float:
        """What its process took so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def feed(self) -> ClientConnection:
        """A page's feed, subscribed."""
        opened = connect(
            f"ws://127.0.0.1:{self._port}{API}/stream",
            subprotocols=[Subprotocol("connscope.v1")],
            additional_headers=self._headers,
            max_size=None,
        )
        opened.send(json.dumps({"t": "hello", "protocol": 1}))
        opened.send(json.dumps({"t": "subscribe", "view": {"group": "process"}}))
        return opened


def _read(feed: ClientConnection) -> None:
    """Takes in what comes, until it is closed."""
    for message in feed:
        found = json.loads(message)
        if "sequence" in found:
            feed.send(json.dumps({"t": "ack", "sequence": found["sequence"]}))


@contextmanager
def _server() -> Iterator[_Server]:
    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory) / "connscope.sock")
        command = connscope_command("server", "--port", "0", "--socket", path)
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env=tracing_environment()
        ) as process:
            try:
                yield _Server(process.pid, process.stdout.readline() if process.stdout else "")
            finally:
                process.terminate()
