"""The programs that are compared: ``connscope trace``, libbpf-tools' ``tcplife``, ``tcptracer``."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from connscope.kernel.resource import Resource

__all__ = (
    "Summary",
    "TraceProgram",
    "TracingProgram",
    "connscope_command",
    "tcplife",
    "tcptracer",
    "tracing_environment",
)

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
BYTECODE = ROOT / "build" / "bench-bytecode"
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 20.0
QUIET_S = 0.3  # an output that did not grow for so long is complete
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
# tcplife finds its tracepoint there; the mount is its own and goes with it.
WITH_TRACEFS = 'mount -t tracefs tracefs /sys/kernel/tracing && exec "$0"'
SUMMARY = re.compile(r"(\d+) events shown, (\d+) lost")


class Summary(NamedTuple):
    """What trace says at its end."""

    rows: int
    lost: int


def connscope_command(*words: str) -> list[str]:
    """The command line of this tree's ``connscope``."""
    return [sys.executable, "-m", "connscope.cli", *words]


def tracing_environment() -> dict[str, str]:
    """The environment in which this tree's connscope is the one that runs."""
    return {
        **os.environ,
        "PYTHONPATH": str(SOURCE),
        # As pip leaves it: an installed program is not compiled anew each time it starts.
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(BYTECODE),
    }


class TracingProgram(Resource):
    """A program that runs meanwhile and writes its output to a file.

    Args:
        command: with its arguments.
        is_ready: asked until it is true; gets the pid and what was written to stderr so far.
        start_timeout_s: more where the machine is emulated.
    """

    def __init__(
        self,
        command: list[str],
        is_ready: Callable[[int, str], bool],
        start_timeout_s: float = START_TIMEOUT_S,
    ) -> None:
        self._start_timeout_s = start_timeout_s
        self._folder = tempfile.TemporaryDirectory(prefix="connscope-bench-")
        self.output = Path(self._folder.name, "output")
        self._errors = Path(self._folder.name, "errors")
        with self.output.open("wb") as output, self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                env=tracing_environment(),
            )
        try:
            self._wait_until_ready(is_ready)
        except BaseException:
            self.close()
            raise

    def _wait_until_ready(self, is_ready: Callable[[int, str], bool]) -> None:
        end = time.monotonic() + self._start_timeout_s
        while not is_ready(self.pid, self.said()):
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self._process.args!r} did not start: {self.said()}")
            time.sleep(0.01)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def said(self) -> str:
        """What it wrote to stderr so far."""
        return self._errors.read_text(errors="replace")

    def cpu_s(self) -> float:
        """User and system time of the process so far."""
        return sum(self.cpu_parts_s())

    def cpu_parts_s(self) -> tuple[float, float]:
        """User time, system time of the process so far."""
        after_name = Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")[2].split()
        return int(after_name[11]) / TICKS_PER_S, int(after_name[12]) / TICKS_PER_S

    def settle(self, quiet_s: float = QUIET_S) -> None:
        """Waits until it has written all that it is going to write: nothing for so long."""
        size, since = -1, time.monotonic()
        while time.monotonic() - since < quiet_s:
            now = self.output.stat().st_size
            if now != size:
                size, since = now, time.monotonic()
            time.sleep(0.02)

    def stop(self) -> None:
        """Interrupts it as a user would; its output stays until `close`."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(STOP_TIMEOUT_S)

    def close(self) -> None:
        """Ends it and deletes its output; a second call does nothing."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()


class TraceProgram(TracingProgram):
    """``connscope trace`` with an output format, and the options given."""

    def __init__(
        self, *options: str, form: str = "json", start_timeout_s: float = START_TIMEOUT_S
    ) -> None:
        command = connscope_command("trace", "-o", form, *options)
        super().__init__(command, _has_announced, start_timeout_s)

    def summary(self) -> Summary:
        """How many rows were shown and lost; after `stop` only."""
        found = SUMMARY.search(self.said())
        if found is None:
            raise RuntimeError(f"trace ended without its summary: {self.said()}")
        return Summary(int(found[1]), int(found[2]))


def tcplife() -> TracingProgram:
    """libbpf-tools' tcplife, started and attached.

    Raises:
        FileNotFoundError: it is not installed; the message names the package.
    """
    command = ["unshare", "--mount", "sh", "-c", WITH_TRACEFS, _libbpf_tool("tcplife")]
    return TracingProgram(command, _polls)


def tcptracer(start_timeout_s: float = START_TIMEOUT_S) -> TracingProgram:
    """libbpf-tools' tcptracer, started and attached.

    Raises:
        FileNotFoundError: it is not installed; the message names the package.
    """
    return TracingProgram([_libbpf_tool("tcptracer")], _polls, start_timeout_s)


def _libbpf_tool(name: str) -> str:
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        raise FileNotFoundError(f"no {name} here: apt-get install libbpf-tools")
    return path


def _has_announced(_pid: int, said: str) -> bool:
    return "capturing:" in said


def _polls(pid: int, _said: str) -> bool:
    """It opens its epoll last, when its programs are attached."""
    descriptors = Path(f"/proc/{pid}/fd")
    return any(
        "eventpoll" in str(descriptor.readlink())
        for descriptor in descriptors.iterdir()
        if descriptor.is_symlink()
    )
