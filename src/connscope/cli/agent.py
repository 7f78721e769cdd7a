"""Reports the connections of this machine to a server, until somebody stops it.

Two processes: one captures and has the capabilities for it, the other one talks to the server and
has none. Without --server the reports go to `connscope server` on this machine.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from connscope.agent.host import this_host
from connscope.agent.paths import own_paths
from connscope.agent.place import Place, find_place
from connscope.agent.run import run_agent
from connscope.cli.announcement import announce_capture
from connscope.cli.choice import TIERS, required
from connscope.cli.exit_codes import SIGNALLED
from connscope.cli.hang_up import end_at_hang_up
from connscope.config import Config, load_config
from connscope.errors import ConfigError
from connscope.kernel.host.users import unprivileged_user
from connscope.tokens import read_token
from connscope.tracker.tracker import Tracker

__all__ = (
    "add_arguments",
    "add_capture_arguments",
    "announce",
    "capture_config",
    "destination_of",
    "run",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of ``connscope agent``."""
    parser.add_argument("--host-id", action="store_true", help="prints the id of this host, ends")
    parser.add_argument("--config", type=Path, metavar="FILE", help="instead of the default file")
    add_capture_arguments(parser)


def add_capture_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of all commands that capture and report."""
    parser.add_argument("--server", metavar="URL", help="https://HOST:PORT; default: this machine")
    parser.add_argument("--token-file", metavar="FILE", help="with the token of this host")
    parser.add_argument("--plaintext", action="store_true", default=None, help="http is allowed")
    parser.add_argument("--interval", type=float, metavar="S", help="between reports; default: 1")
    parser.add_argument("--tier", choices=TIERS, help="the way to capture; default: the best")
    parser.add_argument("--require", choices=TIERS[1:], metavar="TIER", help="none that is worse")


def capture_config(arguments: argparse.Namespace, **more: Any) -> Config:
    """The configuration that those options make."""
    config = load_config(
        arguments.config,
        os.environ,
        server_url=arguments.server,
        agent_token_file=arguments.token_file,
        server_plaintext=arguments.plaintext,
        report_interval_s=arguments.interval,
        tier=arguments.tier,
        **more,
    )
    config = msgspec.structs.replace(config, look_interval_s=config.report_interval_s)
    return own_paths(config, os.environ)


def destination_of(config: Config) -> tuple[Place, str]:
    """Where the reports go, and the token for it, read while we may."""
    given = config.agent_token_file
    token = read_token(Path(given)) if given else ""
    place = find_place(config.server_url, config.server_socket, plaintext=config.server_plaintext)
    if config.server_url and not token:
        raise ConfigError(
            "a server elsewhere wants a token: `connscope server --agent-token "
            f"{this_host().host_id}` prints the one of this host, --token-file names the file with "
            "it"
        )
    if place.is_open_to_others:
        print(f"WARN reports go to {place} for everybody to read", file=sys.stderr)
    return place, token


def announce(tracker: Tracker) -> None:
    """Says on stderr with what it captures."""
    if tier := tracker.tier:
        print(announce_capture(tier, tracker.refusals), file=sys.stderr, flush=True)


def run(arguments: argparse.Namespace) -> int:
    """Reports until somebody stops it."""
    if arguments.host_id:
        print(this_host().host_id)
        return 0
    config = capture_config(arguments)
    destination = destination_of(config)
    user = unprivileged_user(config.agent_user, os.environ)
    end_at_hang_up()
    number = run_agent(config, destination, user, require=required(arguments), ready=announce)
    return SIGNALLED + number
