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
from typing import IO

import msgspec

from connscope.agent.destination import Answer, Destination
from connscope.agent.paths import own_paths
from connscope.agent.place import find_place
from connscope.cli.hang_up import end_at_hang_up
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
REST_S = 0.5


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
    end_at_hang_up()
    with _opened(arguments.file) as file:
        if next(read_reports(file), None) is None:
            raise ConfigError(f"{arguments.file} has no whole report")
        served = start_server(config, unprivileged_user(config.agent_user, os.environ))
        print(welcome(served.url), flush=True)
        try:
            _feed(config, served, file, once=arguments.once)
        finally:
            served.end()
    return 0


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise ConfigError(f"can not read {path}: {error.strerror}") from error
    with file:
        yield file


def _feed(config: Config, served: Served, file: IO[bytes], *, once: bool) -> None:
    destination = Destination(find_place("", config.server_socket, plaintext=False))
    replayed = Replayed()
    while True:
        file.seek(0)
        for encoded in read_reports(file):
            report = replayed.moved(decode(encoded, LIMITS))
            time.sleep(replayed.pause_s)
            content = encode(report)
            while (answer := destination.send(content)) is Answer.SLOWER:
                time.sleep(REST_S)
            if answer is not Answer.TAKEN:
                served.child.check()
                raise FailedError("replay", destination.reason)
        if once:
            return
        replayed.begin_again()
