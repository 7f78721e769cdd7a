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
from typing import IO, NoReturn

from connscope.agent.instance import held_instance, note_instance, refuse_second
from connscope.agent.paths import runtime_dir
from connscope.agent.run import run_agent
from connscope.cli.agent import add_capture_arguments, announce, capture_config, destination_of
from connscope.cli.choice import required
from connscope.cli.detached import detached
from connscope.cli.exit_codes import SIGNALLED
from connscope.cli.hang_up import end_at_hang_up
from connscope.cli.served import Served, start_server
from connscope.config import Config
from connscope.errors import ConfigError, UsageError
from connscope.kernel.host.privileges import keep_capabilities
from connscope.kernel.host.users import User, unprivileged_user
from connscope.row.words import Tier, word
from connscope.tracker.tracker import Tracker

__all__ = ("add_arguments", "run", "welcome")

CHECK_S = 0.5


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
    if arguments.app_only and config.server_url:
        raise UsageError("--app-only and a server elsewhere: then there is nothing to do here")
    refuse_second(directory)
    end_at_hang_up()
    if arguments.detach:
        return detached(directory, lambda: _run_here(arguments, config, directory))
    return _run_here(arguments, config, directory)


def _run_here(arguments: argparse.Namespace, config: Config, directory: Path) -> int:
    user = unprivileged_user(config.agent_user, os.environ)
    serves = not arguments.probe_only and not config.server_url
    with held_instance(directory), _recording(arguments.record, user) as record:
        served = start_server(config, user) if serves else None
        try:
            if arguments.app_only and served:
                _serve_only(served, directory)
            number = _report(config, user, required(arguments), record, served, directory)
        finally:
            if served:
                served.end()
    return SIGNALLED + number


def _report(
    config: Config,
    user: User,
    require: Tier | None,
    record: IO[bytes] | None,
    served: Served | None,
    directory: Path,
) -> int:
    destination = destination_of(config)

    def ready(tracker: Tracker) -> None:
        announce(tracker)
        tier = word(tracker.tier.tier) if tracker.tier else ""
        note_instance(directory, served.url if served else "", tier)
        print(welcome(served.url) if served else f"reporting to {destination[0]}", flush=True)

    return run_agent(
        config,
        destination,
        user,
        require=require,
        record=record,
        beside=served.child if served else None,
        ready=ready,
    )


def _serve_only(served: Served, directory: Path) -> NoReturn:
    """Waits for the end of the server, or of us."""
    keep_capabilities(("CAP_KILL",))
    note_instance(directory, served.url, "")
    print(welcome(served.url), flush=True)
    while True:
        served.child.check()
        time.sleep(CHECK_S)


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
def _recording(path: Path | None, user: User) -> Iterator[IO[bytes] | None]:
    """A new file. It tells who talks to whom: it is for the eyes of who called sudo."""
    if path is None:
        yield None
        return
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        if os.geteuid() == 0 and "SUDO_UID" in os.environ:
            os.fchown(descriptor, user.uid, user.gid)
    except OSError as error:
        raise ConfigError(f"can not record to {path}: {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as file:
        yield file
