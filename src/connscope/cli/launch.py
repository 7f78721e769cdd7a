"""Captures, reports and serves on this machine, all in one: open the address that it prints.

Only the capturing process keeps rights; agent and server become who called sudo, else the user
connscope, else nobody. Ctrl-C ends all of it.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from connscope.agent.instance import find_instance, held_instance, note_instance
from connscope.agent.paths import runtime_dir
from connscope.agent.run import run_agent
from connscope.cli.agent import add_capture_arguments, announce, capture_config, destination_of
from connscope.cli.choice import required
from connscope.cli.detached import detached
from connscope.cli.served import Served, start_server
from connscope.config import Config
from connscope.errors import ConfigError, UsageError
from connscope.kernel.host.users import User, unprivileged_user
from connscope.row.words import Tier, word
from connscope.tracker.tracker import Tracker

__all__ = ("add_arguments", "run", "serve_only", "welcome")

END_S = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of ``connscope launch``."""
    parser.add_argument("--port", type=int, metavar="PORT", help="of the page; default: 4040")
    parser.add_argument("--host", metavar="ADDRESS", help="to listen on; default: 127.0.0.1")
    parser.add_argument("-d", "--detach", action="store_true", help="goes on in the background")
    parts = parser.add_mutually_exclusive_group()
    parts.add_argument("--app-only", action="store_true", help="only the server")
    parts.add_argument("--probe-only", action="store_true", help="only the agent")
    parser.add_argument("--record", type=Path, metavar="FILE", help="of all reports, for replay")
    parser.add_argument("--config", type=Path, metavar="FILE", help="instead of the default file")
    add_capture_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs until somebody stops it."""
    config = capture_config(arguments, server_port=arguments.port, server_host=arguments.host)
    directory = runtime_dir(os.environ)
    if (found := find_instance(directory)) is not None:
        raise UsageError(f"connscope runs already at {found.url}; `connscope stop` ends it")
    if arguments.detach:
        return detached(directory, lambda: _run_here(arguments, config, directory))
    return _run_here(arguments, config, directory)


def _run_here(arguments: argparse.Namespace, config: Config, directory: Path) -> int:
    user = unprivileged_user(config.agent_user, os.environ)
    serves = not arguments.probe_only and not config.server_url
    with held_instance(directory), _recording(arguments.record) as record:
        served = start_server(config, user) if serves else None
        try:
            if arguments.app_only and served:
                return serve_only(served, directory)
            _report(config, user, required(arguments), record, served, directory)
        finally:
            if served:
                served.child.end(END_S)
    return 0


def _report(
    config: Config,
    user: User,
    require: Tier | None,
    record: IO[bytes] | None,
    served: Served | None,
    directory: Path,
) -> None:
    destination = destination_of(config)

    def ready(tracker: Tracker) -> None:
        announce(tracker)
        tier = word(tracker.tier.tier) if tracker.tier else ""
        note_instance(directory, served.url if served else "", tier)
        print(welcome(served.url) if served else f"reporting to {destination}", flush=True)

    own = (served.child.pid,) if served else ()
    run_agent(config, destination, user, require=require, record=record, own_pids=own, ready=ready)


def serve_only(served: Served, directory: Path) -> int:
    """Waits until the server ends or somebody stops us."""
    note_instance(directory, served.url, "")
    print(welcome(served.url), flush=True)
    try:
        while served.child.exit_code() is None:
            time.sleep(0.1)
    except KeyboardInterrupt:
        return 0
    return served.child.exit_code() or 0


def welcome(url: str) -> str:
    """Where the page is; over ssh also how to get there."""
    lines = [f"connscope is at {url}"]
    if session := os.environ.get("SSH_CONNECTION", "").split():
        port = url.partition("/#")[0].rpartition(":")[2]
        here = session[2] if len(session) > 2 else os.uname().nodename
        user = os.environ.get("SUDO_USER") or os.environ.get("USER") or "root"
        lines.append(f"from your own machine: ssh -L {port}:127.0.0.1:{port} {user}@{here}")
    lines.append("Ctrl-C ends it" if sys.stdout.isatty() else "`connscope stop` ends it")
    return "\n".join(lines)


@contextlib.contextmanager
def _recording(path: Path | None) -> Iterator[IO[bytes] | None]:
    if path is None:
        yield None
        return
    try:
        file = path.open("xb")
    except OSError as error:
        raise ConfigError(f"can not record to {path}: {error.strerror}") from error
    with file:
        yield file
