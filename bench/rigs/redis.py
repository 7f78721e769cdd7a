"""A redis-server in a network namespace, and redis-benchmark against it."""

from __future__ import annotations

import csv
import shutil
import tempfile
import time

from bench.rigs.network import PrivateNetwork
from connscope.kernel.resource import Resource

__all__ = ("RedisServer",)

START_TIMEOUT_S = 20.0
RUNS = 3
REQUESTS, CLIENTS = 12_000, 8


class RedisServer(Resource):
    """Keeps nothing, listens on loopback.

    Args:
        network: where.

    Raises:
        FileNotFoundError: it is not installed; the message names the package.
    """

    def __init__(self, network: PrivateNetwork) -> None:
        if shutil.which("redis-server") is None:
            raise FileNotFoundError("no redis-server here: apt-get install redis-server")
        self._network = network
        self._folder = tempfile.TemporaryDirectory(prefix="connscope-bench-")
        options = ("--save", "", "--appendonly", "no", "--bind", "127.0.0.1")
        self._process = network.spawn("redis-server", *options, "--dir", self._folder.name)
        try:
            self._wait_until_ready()
        except BaseException:
            self.close()
            raise

    def _wait_until_ready(self) -> None:
        end = time.monotonic() + START_TIMEOUT_S
        probe = "exec 2>&-; redis-cli -h 127.0.0.1 ping || true"
        while "PONG" not in self._network.call("sh", "-c", probe):
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("redis-server did not start: is another one on its port?")
            time.sleep(0.05)

    def requests_per_s(self) -> float:
        """GETs a second, of the fastest of a few runs."""
        return max(self._run() for _ in range(RUNS))

    def _run(self) -> float:
        amount = ("-n", str(REQUESTS), "-c", str(CLIENTS))
        said = self._network.call("redis-benchmark", "-t", "get", "--csv", *amount)
        *_, (_name, rate, *_rest) = csv.reader(said.splitlines())
        return float(rate)

    def close(self) -> None:
        """Ends it; a second call does nothing."""
        self._process.terminate()
        self._process.wait()
        self._folder.cleanup()
