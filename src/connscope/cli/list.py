"""Lists the open TCP connections and listeners of all network namespaces, with their processes.

A pid with ~ is an estimate: an accepted connection that so far only its listener is known of.
With -a there is also what has no process any more, or none yet: time_wait, syn_recv. With -u there
are UDP sockets instead, with -tu both.

A table fits the terminal, from 80 to 200 columns: with less room there are fewer columns, and long
names and addresses are cut in the middle; TX and RX are in units of 1000. In a pipe nothing is cut,
unless COLUMNS says how wide a line may be. The other formats have exact numbers: wide, the table
with all columns; json, one object a line; csv, with a header; arrow, an Arrow IPC stream.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from contextlib import closing

from connscope.capture.ladder import Ladder, open_looker
from connscope.capture.tier import Looker
from connscope.cli.announcement import announce_fall
from connscope.cli.choice import (
    Choice,
    add_choice,
    add_general,
    chosen,
    counts_udp,
    required,
)
from connscope.cli.exit_codes import FINE
from connscope.cli.list_follow import follow_in_blocks, follow_on_screen, open_sockets
from connscope.cli.list_order import Order, parse_order
from connscope.cli.list_output import FORMATS, open_output
from connscope.cli.list_table import ListTable
from connscope.cli.screen import is_interactive
from connscope.config import load_config
from connscope.errors import KernelError, UsageError
from connscope.kernel.host.heap import keep_freed_memory
from connscope.row.words import Tier

__all__ = ("add_arguments", "run")

SUMMARY_FORMATS = ("table", "wide", "json")
TABLES = ("table", "wide")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of ``connscope list``."""
    parser.add_argument("-o", "--output", choices=FORMATS, default="table", help="default: table")
    parser.add_argument(
        "-l",
        "--listeners",
        action="store_true",
        help="only listeners, with their queue and from where they can be reached: all (bound to "
        "every address), loopback, private or public",
    )
    parser.add_argument(
        "--sort",
        metavar="COLUMN",
        help="by a column's title or its name in docs/row.md; -COLUMN for descending",
    )
    parser.add_argument("-r", "--reverse", action="store_true", help="the other way round")
    parser.add_argument(
        "-a",
        "--all",
        action="store_true",
        help="also what is no socket any more, or none yet: time_wait, syn_recv",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "-f",
        "--follow",
        action="store_true",
        help="again each second; on a terminal until q is pressed, with what opened (+), closed "
        "(-) and failed (!) marked",
    )
    what.add_argument(
        "--summary",
        action="store_true",
        help="counts and bytes for each process, peer and listening port, and in total",
    )
    add_general(parser)
    add_choice(parser)


def run(arguments: argparse.Namespace) -> int:
    """Lists once, or again and again."""
    _refuse_contradictions(arguments)
    choice = chosen(arguments, listeners=arguments.listeners, minisockets=arguments.all)
    order = parse_order(arguments.sort, reverse=arguments.reverse)
    table = ListTable(
        wide=arguments.output == "wide",
        numeric=arguments.numeric,
        listeners=arguments.listeners,
        udp=arguments.udp,
    )
    output = open_output(arguments.output, table)
    config = load_config(
        arguments.config, os.environ, tier=arguments.tier, udp=counts_udp(arguments)
    )
    if arguments.follow:
        with Ladder(config, required(arguments), udp_sockets=arguments.udp) as tier:
            _say(announce_fall(tier, tier.refusals))
            if arguments.output in TABLES and is_interactive():
                follow_on_screen(tier, choice, order, table)
                return FINE
            follow_in_blocks(tier, choice, _wanted(order, arguments), output)
    keep_freed_memory()
    # One look needs no events.
    refusals: dict[Tier, KernelError] = {}
    opened = open_looker(config, refusals, required(arguments), udp_sockets=arguments.udp)
    with closing(opened) as looker:
        text = _summary_text(looker, choice, arguments) if arguments.summary else ""
        rows = None if arguments.summary else open_sockets(looker, choice)
        _say(announce_fall(looker, refusals))
    sys.stdout.write(text)
    if rows is not None:
        wanted = _wanted(order, arguments)
        output.write(wanted.apply(rows) if wanted else rows)
        output.close()
    return FINE


def _say(text: str) -> None:
    if text:
        print(text, file=sys.stderr)


def _refuse_contradictions(arguments: argparse.Namespace) -> None:
    """Says so before anything is captured, where the answer would always be empty or wrong."""
    if arguments.failed and not arguments.follow:
        raise UsageError("--failed: nothing that is open has failed; add --follow, or use trace")
    if arguments.summary and arguments.output not in SUMMARY_FORMATS:
        raise UsageError(f"--summary: there is no {arguments.output} of it, use -o json")
    if arguments.summary and (arguments.listeners or arguments.sort or arguments.reverse):
        raise UsageError("--summary: it has its own order, and is of all sockets")


def _wanted(order: Order, arguments: argparse.Namespace) -> Order | None:
    """What a program reads is put in order only if that was asked for."""
    asked = arguments.sort is not None or arguments.reverse
    return order if asked or arguments.output in TABLES else None


def _summary_text(looker: Looker, choice: Choice, arguments: argparse.Namespace) -> str:
    # It brings the audit with it, which a list has no use for.
    make = importlib.import_module("connscope.cli.list_summary").summary_text
    text: str = make(looker, choice, form=arguments.output, numeric=arguments.numeric)
    return text
