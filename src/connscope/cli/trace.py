"""Shows each connection event as it happens: one line when it opens, fails, closes.

The owner of an accepted connection is the process that listens, marked with ~, until the process
that closes it is seen; --accept-owner exact names the accepting task, at a price for every system
call (see connscope doctor). A line "lost" says how many events are missing before it. At its end
it says how many of the connections that the kernel counted were seen, before any filter.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time

from connscope.capture.ladder import Ladder
from connscope.capture.tier import BATCH_ROWS, CaptureTier
from connscope.cli.announcement import announce_capture
from connscope.cli.audit_lines import audit_line
from connscope.cli.choice import (
    Choice,
    add_choice,
    add_general,
    chosen,
    counts_udp,
    positive,
    required,
)
from connscope.cli.trace_lines import TraceLines
from connscope.config import Config, load_config
from connscope.kernel.host.clock import wall_minus_boottime_ns
from connscope.kernel.host.heap import keep_freed_memory
from connscope.row.columns import Rows
from connscope.row.json_lines import json_lines
from connscope.tracker.audit import PATIENT_TRIES, Audit

__all__ = ("add_arguments", "run")

FORMATS = ("table", "wide", "json")
CLOCK_CHECK_S = 1.0
GATHER_S = 0.25
"""A quarter of a second late is still live for who reads along."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of ``connscope trace``."""
    parser.add_argument("-o", "--output", choices=FORMATS, default="table", help="default: table")
    parser.add_argument("--duration", type=_seconds, metavar="S", help="stop after S seconds")
    parser.add_argument("-c", "--count", type=positive, metavar="N", help="stop after N events")
    add_general(parser)
    parser.add_argument("--accept-owner", choices=("auto", "exact", "listener"))
    parser.add_argument("--ring-bytes", type=int, metavar="BYTES")
    add_choice(parser)


def run(arguments: argparse.Namespace) -> int:
    """Traces until the time or the count is over, or somebody stops it."""
    choice = chosen(arguments)
    config = load_config(
        arguments.config,
        os.environ,
        accept_owner=arguments.accept_owner,
        ring_bytes=arguments.ring_bytes,
        tier=arguments.tier,
        udp=counts_udp(arguments),
    )
    keep_freed_memory()
    with Ladder(config, required(arguments)) as tier:
        output = _Output(arguments.output, arguments.numeric, choice, arguments.count)
        early = list[Rows]()
        audit = Audit(tier, early.append)
        audit.begin()  # first: who reads that we capture may connect at once
        try:
            print(announce_capture(tier, tier.refusals), file=sys.stderr, flush=True)
            output.begin()
            for rows in early:
                output.show(rows)
            audit.show_to(output.show)
            _follow(tier, config, audit, output, arguments.duration)
        finally:
            print(_summarize(tier, output), file=sys.stderr)
            _tell_audit(audit)
    return 0


def _follow(
    tier: CaptureTier, config: Config, audit: Audit, output: _Output, duration_s: float | None
) -> None:
    """Reads and writes in batches: at once after a quiet time, else when some have gathered."""
    end = math.inf if duration_s is None else time.monotonic() + duration_s
    while not output.is_full:
        remaining = end - time.monotonic()
        if remaining <= 0:
            return
        # On a quiet machine nobody wakes us: what the kernel counts there are rows to us.
        patience_s = min(remaining, audit.due_in_s() if audit.has_news else math.inf)
        if tier.wait(None if patience_s == math.inf else patience_s):
            began = time.monotonic()
            if audit.read() == BATCH_ROWS:
                continue
            _let_gather(tier, config.drain_interval_s, began, end)
        if audit.has_news and not audit.due_in_s():
            audit.settle()


def _let_gather(tier: CaptureTier, interval_s: float, began_s: float, end_s: float) -> None:
    """Sleeps until the next batch should be read: one of a row takes as long as one of a hundred.

    Args:
        tier: ends it when its ring fills up.
        interval_s: so long at least.
        began_s: when the last batch was read.
        end_s: no longer than to then.
    """
    read_s = min(began_s + max(interval_s, GATHER_S), end_s)
    while (left_s := read_s - time.monotonic()) > 0:
        time.sleep(min(interval_s, left_s))
        if tier.is_filling:
            return


def _tell_audit(audit: Audit) -> None:
    """The last words: rows that waited in the ring meanwhile are counted, and not shown."""
    audit.show_to(lambda _: None)
    audit.settle(PATIENT_TRIES, is_last=True)
    if line := audit_line(audit.report()):
        print(line, file=sys.stderr)


class _Output:
    """Standard output in one of the formats: of the rows the chosen ones, up to a count."""

    def __init__(self, form: str, numeric: bool, choice: Choice, count: int | None) -> None:
        self._choice, self._count = choice, count
        self._lines = None if form == "json" else TraceLines(wide=form == "wide", numeric=numeric)
        self._offset_ns = wall_minus_boottime_ns()
        self._offset_read_s = time.monotonic()
        self.rows = 0

    def begin(self) -> None:
        """Writes what stands above the rows."""
        if self._lines:
            sys.stdout.write(self._lines.header())
            sys.stdout.flush()

    @property
    def is_full(self) -> bool:
        """As many rows as were asked for are out."""
        return self._count is not None and self.rows >= self._count

    def show(self, events: Rows) -> None:
        """Writes what is chosen of a batch."""
        rows = self._choice.apply(events)
        if self._count is not None:
            rows = rows[: self._count - self.rows]
        if len(rows):
            self._write(rows)

    def _write(self, rows: Rows) -> None:
        """Writes a batch, all in one piece."""
        now = time.monotonic()
        if now - self._offset_read_s > CLOCK_CHECK_S:
            self._offset_ns, self._offset_read_s = wall_minus_boottime_ns(), now
        make = self._lines.lines if self._lines else json_lines
        sys.stdout.write(make(rows, self._offset_ns))
        sys.stdout.flush()
        self.rows += len(rows)


def _summarize(tier: CaptureTier, output: _Output) -> str:
    losses = tier.losses()
    text = f"{output.rows} events shown, {losses.rows} lost"
    if losses.sockets:
        text += f", {losses.sockets} sockets not remembered for want of memory"
    if losses.owners:
        text += f", {losses.owners} accept owners not remembered (accept_owners_max)"
    return text


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no time: give seconds above 0")
    return value
