"""A tracker in a process of its own: it answers lines of JSON on its standard input."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.kernel.tracker.tracked import Tracked, repeated

from connscope.config import load_config
from connscope.row.words import Kind, word

__all__ = ("ask", "tracking")


@contextmanager
def tracking(*prefix: str, **settings: Any) -> Iterator[subprocess.Popen[str]]:
    """Such a process, which has opened its tracker.

    Args:
        prefix: what stands before the command: ``unshare -m`` or the like.
        settings: keys of the configuration.
    """
    command = [*prefix, sys.executable, "-m", "tests.kernel.tracker.child", json.dumps(settings)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "open\n"
            yield process
        finally:
            process.kill()


def ask(process: subprocess.Popen[str], port: int, looks: int = 0) -> dict[str, Any]:
    """What it has of the connections with that port, after so many looks more."""
    assert process.stdin
    assert process.stdout
    process.stdin.write(json.dumps([port, looks]) + "\n")
    process.stdin.flush()
    found: dict[str, Any] = json.loads(process.stdout.readline())
    return found


def _answer(tracked: Tracked, port: int, looks: int) -> dict[str, Any]:
    tracked.step(0)
    for _ in range(looks):
        tracked.look()
    table, lost = tracked.table(port), tracked.told[tracked.told["kind"] == Kind.LOST]
    ends = zip(table["local_port"].tolist(), table["peer_port"].tolist(), strict=True)
    assert tracked.tier
    return {
        "tier": word(tracked.tier),
        "ids": dict(zip(map(str, ends), table["connection_id"].tolist(), strict=True)),
        "opened": len(tracked.news(port, Kind.OPENED)),
        "closed": len(tracked.news(port, Kind.CLOSED)),
        "repeated": len(repeated(tracked.news(port))),
        "lost": int(lost["lost"].sum()),
        "counted": tracked.tracker.losses().rows,
        "changes": [each.reason for each in tracked.tracker.changes],
    }


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _run(arguments: Sequence[str]) -> None:
    with Tracked(load_config(**json.loads(arguments[1]))) as tracked:
        _say("open")
        while True:
            if select.select([sys.stdin], [], [], 0)[0]:
                line = sys.stdin.readline()
                if not line:
                    return
                _say(json.dumps(_answer(tracked, *json.loads(line))))
            tracked.step()


if __name__ == "__main__":
    _run(sys.argv)
