"""Shows a recording of `connscope launch --record FILE` as if it happened now, again and again.

It needs no rights: for demonstrations, and to look once more at what happened.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from connscope.agent.destination import Answer, make_destination
from connscope.agent.paths import own_paths
from connscope.cli.launch import welcome
from connscope.cli.replayed import Replayed
from connscope.cli.served import Served, start_server
from connscope.config import Config, load_config
from connscope.errors import ConfigError, FailedError
from connscope.kernel.host.users import unprivileged_user
from connscope.report.decode import Limits, decode
from connscope.report.encode import encode
from connscope.report.recording import read_reports

__all__ = ("add_arguments", "run")

LIMITS = Limits(encoded_bytes=1 << 30, decoded_bytes=1 << 31)
END_S = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of ``connscope replay``."""
    parser.add_argument("file", type=Path, metavar="FILE", help="that launch --record made")
    parser.add_argument("--once", action="store_true", help="does not begin again at its end")
    parser.add_argument("--port", type=int, metavar="PORT", help="of the page; default: 4040")
    parser.add_argument("--config", type=Path, metavar="FILE", help="instead of the default file")


def run(arguments: argparse.Namespace) -> int:
    """Shows it until somebody stops it."""
    config = load_config(arguments.config, os.environ, server_port=arguments.port)
    config = msgspec.structs.replace(
        own_paths(config, os.environ),
        server_socket=f"/tmp/connscope-replay-{os.getpid()}.sock",  # noqa: S108  bound by us, refused if it is there
    )
    with _opened(arguments.file) as reports:
        served = start_server(config, unprivileged_user(config.agent_user, os.environ))
        print(welcome(served.url), flush=True)
        try:
            _feed(config, served, reports, once=arguments.once)
        finally:
            served.child.end(END_S)
    return 0


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[list[bytes]]:
    """All reports of the file; there is at least one."""
    try:
        with path.open("rb") as file:
            reports = list(read_reports(file))
    except OSError as error:
        raise ConfigError(f"can not read {path}: {error.strerror}") from error
    if not reports:
        raise ConfigError(f"{path} has no whole report")
    yield reports


def _feed(config: Config, served: Served, reports: list[bytes], *, once: bool) -> None:
    destination = make_destination("", config.server_socket, "", plaintext=False)
    replayed = Replayed()
    while True:
        for encoded in reports:
            report = replayed.moved(decode(encoded, LIMITS))
            time.sleep(replayed.pause_s)
            if served.child.exit_code() is not None:
                raise FailedError("the server", f"ended with {served.child.exit_code()}")
            if destination.send(encode(report)) is not Answer.TAKEN:
                raise FailedError("replay", destination.reason)
        if once:
            return
        replayed.begin_again()
