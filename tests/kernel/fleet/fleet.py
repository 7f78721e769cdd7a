"""A server and agents of machines that are made up, each in processes of its own."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx2

from connscope.kernel.resource import Resource
from connscope.tokens import agent_token
from tests.kernel.fleet.agent import READY
from tests.unit.server.process import Running, running

PATIENCE_S = 30
CHECK_S = 0.05
TOKEN = "-".join(("a", "fleet", "of", "tests", "knows", "this"))
WINDOW_S = 120
"""Longer than any test: what happened at its begin is in the window at its end."""


class Agent:
    """The processes of an agent.

    Attributes:
        host: its id.
        spool: its directory of reports that wait.
    """

    def __init__(self, host: str, command: list[str], spool: Path) -> None:
        self.host, self.spool = host, spool
        self._command = command
        self.start()

    def start(self) -> None:
        """Returns when it has taken its first look."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        assert self._process.stdout.readline().strip() == READY

    def kill(self) -> None:
        """Without a word; its other process goes with it, as it does by itself."""
        self._process.kill()
        self._process.communicate()  # the pipe closes with the last of both

    def end(self) -> None:
        """As `connscope stop` does."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.communicate(timeout=PATIENCE_S)

    def waiting(self) -> set[str]:
        """Reports that no server has taken."""
        return {path.name for path in self.spool.glob("*.report")}


class Fleet(Resource):
    """One server, on a port that it keeps when it starts anew, and its agents.

    Args:
        window_s: how long what has ended is shown, and how long a report may wait to be one of now.
    """

    def __init__(self, window_s: int = WINDOW_S) -> None:
        # Not pytest's: the agents' users have to get there.
        self._directory = Path(tempfile.mkdtemp(prefix="fleet-"))
        self._directory.chmod(0o755)
        self._agents = list[Agent]()
        self._stack = ExitStack()
        self._port = 0
        self.token_file = self._private("token", TOKEN)
        self._config = self._directory / "config.toml"
        self._config.write_text(f"window_s = {window_s}\n")
        self.start_server()

    def _private(self, name: str, content: str) -> Path:
        path = self._directory / name
        path.touch(0o600)
        path.write_text(content)
        return path

    def start_server(self) -> None:
        """It knows nothing."""
        arguments = ("--token-file", str(self.token_file), "--config", str(self._config))
        directory = self._directory / "server"
        self.server: Running = self._stack.enter_context(
            running(directory, *arguments, "--port", str(self._port))
        )
        self._port = self.server.port
        self._asker = self._stack.enter_context(self.server.client(TOKEN))

    def kill_server(self) -> None:
        """Without a word."""
        self._stack.close()

    def agent(self, host: str, netns: int) -> Agent:
        """The agent of a machine that has one network namespace; it has its own token."""
        token_file = self._private(f"token-{host}", agent_token(TOKEN, host))
        spool = self._directory / f"spool-{host}"
        url = f"http://127.0.0.1:{self._port}"
        program = [sys.executable, "-B", "-m", "tests.kernel.fleet.agent"]
        told = [host, str(netns), url, str(token_file), str(spool)]
        made = Agent(host, [*program, *told], spool)
        self._agents.append(made)
        return made

    def get(self, path: str, **asked: str) -> Any:
        """What the server answers."""
        answer = self._asker.get(f"/api/v1/{path}", params=httpx2.QueryParams(asked))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def outcomes(self) -> dict[str, int]:
        """What became of so many reports."""
        text = self._asker.get("/metrics").text
        found = re.findall(r'reports_total{outcome="(\w+)"} (\d+)', text)
        return {name: int(count) for name, count in found}

    def edges(self) -> list[Any]:
        """Who talks to whom, of hosts."""
        found: list[Any] = self.get("topology", group="host")["edges"]
        return found

    def host(self, name: str) -> Any:
        """What is known of a host that has reported."""
        found = [each for each in self.get("hosts")["hosts"] if each["id"] == name]
        assert found
        return found[0]

    def until(self, holds: Callable[[], object]) -> None:
        """Waits until something is true; a failed assertion is not yet."""
        end_s = time.monotonic() + PATIENCE_S
        while True:
            try:
                assert holds()
                return
            except AssertionError:
                if time.monotonic() > end_s:
                    raise
            time.sleep(CHECK_S)

    def until_heard(self, times: int = 3) -> None:
        """Waits until each agent has reported so often from now on."""
        for agent in self._agents:
            self.until_heard_of(agent, times)

    def until_heard_of(self, agent: Agent, times: int = 1) -> None:
        """Waits until it has reported so often from now on."""
        for _ in range(times):
            before = self._seen_at(agent.host)
            self.until(partial(self._was_seen_after, agent.host, before))

    def until_taken(self, agent: Agent) -> None:
        """Waits until no report waits any more."""
        self.until(lambda: not agent.waiting())

    def until_kept(self, agent: Agent, count: int = 3) -> None:
        """Waits until so many more reports wait."""
        before = agent.waiting()
        self.until(lambda: len(agent.waiting() - before) >= count)

    def _was_seen_after(self, host: str, before: str) -> bool:
        return self._seen_at(host) > before

    def _seen_at(self, host: str) -> str:
        found: str = self.host(host)["last_seen_at"]
        return found

    def close(self) -> None:
        """Ends all of it."""
        for agent in self._agents:
            agent.end()
        self._stack.close()
        shutil.rmtree(self._directory)
