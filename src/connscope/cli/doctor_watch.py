"""The live view of ``connscope doctor --watch``: what was seen of what the kernel counted."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator

from connscope.capture.ladder import Ladder
from connscope.cli.announcement import announce_capture
from connscope.cli.audit_lines import audit_json, audit_line, audit_table
from connscope.cli.exit_codes import FINE
from connscope.cli.screen import Screen, is_interactive
from connscope.config import load_config
from connscope.doctor.watch import watch
from connscope.kernel.host.clock import boottime_ns, wall_minus_boottime_ns
from connscope.row.wall_time import rfc3339_text
from connscope.tracker.audit import Report

__all__ = ("run_watch",)


def run_watch(form: str) -> int:
    """Captures with the best tier and shows the audit each second; q ends it on a terminal.

    Args:
        form: ``text`` or ``json``.
    """
    config = load_config(None, os.environ)
    with Ladder(config) as tier:
        print(announce_capture(tier, tier.refusals), file=sys.stderr, flush=True)
        reports = watch(tier, config.drain_interval_s)
        if form == "text" and is_interactive():
            _draw(reports)
            return FINE
        for report in reports:
            if form == "json":
                now = rfc3339_text(boottime_ns(), wall_minus_boottime_ns())
                print(audit_json(report, now), flush=True)
            else:
                print("\n".join(audit_table(report)), flush=True)
    return FINE


def _draw(reports: Iterator[Report]) -> None:
    with Screen() as screen:
        for report in reports:
            width, height = screen.size()
            title = f"{time.strftime('%H:%M:%S')}  {audit_line(report) or 'audit'}  q quits"
            screen.draw([line[:width] for line in (title, *audit_table(report))][:height])
            keys = screen.keys(time.monotonic())
            if keys is None or b"q" in keys:
                return
