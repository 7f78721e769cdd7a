"""The entry point: finds the command, runs it, turns errors into exit codes."""

from __future__ import annotations

import argparse
import errno
import importlib
import io
import os
import re
import signal
import sys
from collections.abc import Sequence
from types import FrameType

import connscope
from connscope.cli.exit_codes import FAILED, FINE, SIGNALLED, exit_code
from connscope.errors import ConnscopeError, NotPermittedError, NotSupportedError

__all__ = ("main",)

COMMANDS = (
    *("launch", "agent", "server", "status", "stop", "replay"),
    *("trace", "list", "doctor"),
)
"""Modules of this package. Only the one that is asked for is imported: a short command would spend
half of its time with the others."""

OUTPUT_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
VALUES_WITH_MINUS = ("--filter", "--sort")
MINUS = re.compile("-[^-]")


def main(arguments: list[str] | None = None) -> int:
    """Runs one command.

    Returns:
        0 fine, 1 failed, 2 usage, 3 not permitted, 4 nothing to capture with, 128 + n for signal n.
    """
    signal.signal(signal.SIGTERM, _end)
    if sys.stdout is None:  # Python's way to say that the descriptor is closed
        print("connscope: standard output is closed", file=sys.stderr)
        return FAILED
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A process name may have characters that the terminal's encoding lacks.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            given = sys.argv[1:] if arguments is None else arguments
            wanted = [name for name in given[:1] if name in COMMANDS]
            return _run(make_parser(wanted or COMMANDS).parse_args(join_values(given)))
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return SIGNALLED + signal.SIGINT
    except BrokenPipeError:
        return _leave_output(FINE)
    except OSError as error:
        if error.errno not in OUTPUT_FULL:
            raise
        print(f"connscope: writing the output: {error.strerror}", file=sys.stderr)
        return _leave_output(FAILED)


def join_values(arguments: list[str]) -> list[str]:
    """The same, with ``--filter -a`` as ``--filter=-a``: argparse would take the value for an
    option."""
    joined: list[str] = []
    for argument in arguments:
        if joined and joined[-1] in VALUES_WITH_MINUS and MINUS.match(argument):
            joined[-1] += f"={argument}"
        else:
            joined.append(argument)
    return joined


def _run(chosen: argparse.Namespace) -> int:
    try:
        return int(chosen.run(chosen))
    except ConnscopeError as error:
        print(f"connscope {chosen.command}: {_explain(error)}", file=sys.stderr)
        return exit_code(error)


def make_parser(names: Sequence[str] = COMMANDS) -> argparse.ArgumentParser:
    """The command line of some commands, each described by its module's docstring."""
    parser = argparse.ArgumentParser(prog="connscope", description=connscope.__doc__)
    parser.add_argument("--version", action="version", version=connscope.__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in names:
        command = importlib.import_module(f"connscope.cli.{name}")
        about = (command.__doc__ or "").partition("\n\n")[0]
        sub = commands.add_parser(
            name,
            help=about,
            description=command.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    return parser


def _explain(error: ConnscopeError) -> str:
    if isinstance(error, NotPermittedError) and error.missing:
        return f"needs {', '.join(error.missing)}: run it as root, e.g. with sudo"
    if isinstance(error, NotSupportedError):
        return f"{error}\nsee `connscope doctor`"
    return str(error)


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(SIGNALLED + number)


def _leave_output(code: int) -> int:
    """Nobody takes our output any more: whoever read it has gone, which is no failure, or a disk is
    full. The descriptor is replaced so that the interpreter's last flush finds a place."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code
