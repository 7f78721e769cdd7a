"""Which rows somebody wants to see, by options that several commands have."""

from __future__ import annotations

import argparse
import importlib
from dataclasses import dataclass
from ipaddress import IPv6Network
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from connscope.errors import UsageError
from connscope.kernel.host.clock import boottime_ns
from connscope.row.address import parse_network
from connscope.row.columns import Rows
from connscope.row.selection import Selection
from connscope.row.words import Kind, Role, State, Tier
from connscope.row.words import Protocol as Transport

__all__ = (
    "Choice",
    "add_choice",
    "add_general",
    "chosen",
    "counts_udp",
    "positive",
    "required",
)

TIERS = ("auto", "btf", "kprobe", "netlink", "procfs")
DIRECTIONS = {"in": Role.SERVER, "out": Role.CLIENT}


class RowFilter(Protocol):
    """What ``connscope.filter`` makes of a text."""

    def mask(self, rows: Rows, *, now_ns: int) -> npt.NDArray[np.bool_]:
        """On which rows it holds."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Everything that must hold of a row that is shown; a lost row always is.

    Attributes:
        selection: the simple options.
        filter: what ``--filter`` says.
        listeners: only listeners, and their ends; of UDP, if it was asked for, sockets that are
            connected to nobody.
        minisockets: time_wait and syn_recv too, where the command looks.
    """

    selection: Selection
    filter: RowFilter | None = None
    listeners: bool = False
    minisockets: bool = False

    def apply(self, rows: Rows) -> Rows:
        """The chosen rows."""
        rows = self.selection.apply(rows)
        if self.filter and len(rows):
            wanted = self.filter.mask(rows, now_ns=boottime_ns())
            rows = rows[wanted | (rows["kind"] == Kind.LOST)]
        if self.listeners:
            listens = (rows["state"] == State.LISTEN) | (rows["kind"] == Kind.UNLISTENED)
            if Transport.UDP in self.selection.protocols:
                listens |= (rows["protocol"] == Transport.UDP) & (rows["peer_port"] == 0)
            rows = rows[listens | (rows["kind"] == Kind.LOST)]
        return rows


def add_general(parser: argparse.ArgumentParser) -> None:
    """Declares what is neither of one command nor about the choice of rows."""
    parser.add_argument("-n", "--numeric", action="store_true", help="numbers for ports and users")
    parser.add_argument("--config", type=Path, metavar="FILE", help="instead of the default file")
    parser.add_argument("--tier", choices=TIERS, help="how to capture; auto: the best there is")
    parser.add_argument(
        "--require",
        choices=TIERS[1:],
        metavar="TIER",
        help="fail with code 4 instead of capturing with less",
    )


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Declares the options that choose rows."""
    only = parser.add_argument_group("show only", "give one twice for either")
    only.add_argument(
        "--filter", metavar="EXPR", help="e.g. 'proc:nginx -state:listen'; docs/filter.md"
    )
    only.add_argument("-t", "--tcp", action="store_true", help="only TCP, or with -u both")
    only.add_argument(
        "-u",
        "--udp",
        action="store_true",
        help="only UDP: its sockets, and its flows, which are counted meanwhile (docs/udp.md)",
    )
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


def chosen(
    arguments: argparse.Namespace, *, listeners: bool = False, minisockets: bool = False
) -> Choice:
    """What the options of `add_choice` say.

    Raises:
        FilterError: ``--filter`` can not be understood; the message shows where.
    """
    asked = ((Transport.TCP, arguments.tcp), (Transport.UDP, arguments.udp))
    selection = Selection(
        protocols=tuple(protocol for protocol, is_asked in asked if is_asked),
        pids=tuple(arguments.pid),
        uids=tuple(arguments.uid),
        netns=tuple(arguments.netns),
        comms=tuple(arguments.comm),
        ports=tuple(arguments.port),
        networks=tuple(arguments.cidr),
        role=DIRECTIONS.get(arguments.direction),
        failed=arguments.failed,
    )
    wanted = None
    if arguments.filter:
        # Its grammar takes a tenth of the time that a list does, and mostly nobody asks for it.
        wanted = importlib.import_module("connscope.filter").parse(arguments.filter)
    return Choice(selection, wanted, listeners, minisockets)


def counts_udp(arguments: argparse.Namespace) -> bool | None:
    """The setting `udp` that follows from ``-t`` and ``-u``; None: neither was given."""
    return bool(arguments.udp) if arguments.tcp or arguments.udp else None


def required(arguments: argparse.Namespace) -> Tier | None:
    """The tier that ``--require`` names."""
    return Tier[arguments.require.upper()] if arguments.require else None


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
