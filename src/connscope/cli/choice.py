"""Which rows somebody wants to see, by options that several commands have."""

from __future__ import annotations

import argparse
from ipaddress import IPv6Network
from pathlib import Path

from connscope.errors import UsageError
from connscope.row.address import parse_network
from connscope.row.selection import Selection
from connscope.row.words import Role

__all__ = ("add_choice", "add_general", "chosen", "positive")

DIRECTIONS = {"in": Role.SERVER, "out": Role.CLIENT}


def add_general(parser: argparse.ArgumentParser) -> None:
    """Declares what is neither of one command nor about the choice of rows."""
    parser.add_argument("-n", "--numeric", action="store_true", help="numbers for ports and users")
    parser.add_argument("--config", type=Path, metavar="FILE", help="instead of the default file")


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Declares the options that choose rows."""
    only = parser.add_argument_group("show only", "give one twice for either")
    only.add_argument("-p", "--pid", type=int, action="append", default=[])
    only.add_argument("--comm", action="append", default=[], help="process name, e.g. nginx*")
    only.add_argument("--uid", type=int, action="append", default=[])
    only.add_argument("--netns", type=int, action="append", default=[], metavar="INODE")
    only.add_argument("--port", type=_port, action="append", default=[], help="of either end")
    only.add_argument(
        "--cidr", type=_network, action="append", default=[], help="network of either end"
    )
    only.add_argument("--direction", choices=tuple(DIRECTIONS), help="who connected: in or out")
    only.add_argument("--failed", action="store_true", help="only connects that did not succeed")


def chosen(arguments: argparse.Namespace) -> Selection:
    """What the options of `add_choice` say."""
    return Selection(
        pids=tuple(arguments.pid),
        uids=tuple(arguments.uid),
        netns=tuple(arguments.netns),
        comms=tuple(arguments.comm),
        ports=tuple(arguments.port),
        networks=tuple(arguments.cidr),
        role=DIRECTIONS.get(arguments.direction),
        failed=arguments.failed,
    )


def positive(text: str) -> int:
    """A count, for argparse."""
    return _whole_number(text, 1, None, "count")


def _whole_number(text: str, lowest: int, highest: int | None, what: str) -> int:
    value = int(text) if text.isascii() and text.isdigit() else -1
    if value < lowest or (highest is not None and value > highest):
        bounds = f"{lowest} or more" if highest is None else f"{lowest} to {highest}"
        raise argparse.ArgumentTypeError(f"{text} is no {what}: give {bounds}")
    return value


def _port(text: str) -> int:
    return _whole_number(text, 1, 65535, "port")


def _network(text: str) -> IPv6Network:
    try:
        return parse_network(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
