"""``connscope launch`` and ``connscope agent`` as people start them, and what becomes of them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from connscope.kernel.resource import Resource

__all__ = (
    "CONNSCOPE",
    "RUNTIME",
    "Launched",
    "connscope",
    "eventually",
    "launched",
    "status_of",
    "surroundings",
)

CONNSCOPE = (sys.executable, "-B", "-m", "connscope.cli")
PATIENCE_S = 15.0
GONE_S = 5.0
RUNTIME = Path("/run/connscope")
OURS = ("CONNSCOPE_", "SUDO_", "SSH_", "XDG_RUNTIME_DIR", "XDG_STATE_HOME")


def eventually(holds: Callable[[], Any], seconds: float = PATIENCE_S) -> Any:
    """Waits until it holds; what it gives then."""
    end_s = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end_s, f"not within {seconds} s: {holds}"
        time.sleep(0.02)
    return found


def surroundings(directory: Path, **more: str) -> dict[str, str]:
    """An environment in which all files are in that directory."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(OURS)}
    return {
        **kept,
        "CONNSCOPE_SPOOL_DIR": str(directory / "spool"),
        "CONNSCOPE_SERVER_SOCKET": str(directory / "connscope.sock"),
        "PYTHONDONTWRITEBYTECODE": "1",
        **more,
    }


def status_of(pid: int) -> dict[str, str]:
    """What /proc/PID/status says; nothing of a process that is gone or waits for its burial."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    told = {name: text.strip() for name, _, text in (line.partition(":") for line in lines)}
    return {} if told["State"].startswith("Z") else told


class Launched(Resource):
    """One that says where it is.

    Attributes:
        lines: what it said until it was ready.
        errors: a file with what it said on stderr.
        server, agent: pids of its processes.
        ready_s: after what time it said that it is ready.
    """

    def __init__(self, command: Sequence[str], environment: dict[str, str], errors: Path) -> None:
        self.errors, began_s = errors, time.monotonic()
        output = errors.with_name("output")
        with errors.open("wb") as file, output.open("wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=file, env=environment)
        try:
            eventually(lambda: "ends it" in output.read_text() or self.process.poll() is not None)
        except BaseException:
            self.close()
            raise
        self.ready_s = time.monotonic() - began_s
        assert self.process.poll() is None, errors.read_text()
        self.lines = output.read_text().splitlines()
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        self.children = [int(each) for each in children]
        self.server, self.agent = (*self.children, 0)[:2]

    @property
    def pid(self) -> int:
        """Of the first process."""
        return self.process.pid

    @property
    def url(self) -> str:
        """Of the page."""
        found = re.search(r"http://\S+", self.lines[0])
        assert found, self.lines
        return found[0]

    def get(self, path: str) -> Any:
        """Asks the API."""
        base, _, token = self.url.partition("/#t=")
        headers = {"authorization": f"Bearer {token}"}
        request = Request(f"{base}/api/v1/{path}", headers=headers)  # noqa: S310  it is ours
        with urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310  it is ours
            return json.loads(answer.read())

    def host(self) -> dict[str, Any]:
        """The one that reports, once it does."""
        found: dict[str, Any] = eventually(lambda: self.get("hosts")["hosts"])[0]
        return found

    def is_gone(self) -> bool:
        """None of its processes is left."""
        self.process.poll()
        return not any(status_of(pid) for pid in (self.pid, *self.children))

    def end(self, number: int = signal.SIGTERM) -> int:
        """Ends it by a signal; its code."""
        self.process.send_signal(number)
        eventually(self.is_gone, GONE_S)
        return self.process.wait()

    def close(self) -> None:
        """Ends it if it runs."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def connscope(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Another command on the same machine, to its end."""
    return subprocess.run(
        [*CONNSCOPE, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=surroundings(Path("/nowhere"), **environment),
    )


@contextmanager
def launched(
    directory: Path,
    *arguments: str,
    command: Sequence[str] = CONNSCOPE,
    **environment: str,
) -> Iterator[Launched]:
    """``connscope launch`` on any free port."""
    started = Launched(
        (*command, "launch", "--port", "0", *arguments),
        surroundings(directory, **environment),
        directory / "errors",
    )
    with started:
        yield started
