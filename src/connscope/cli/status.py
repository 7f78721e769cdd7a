"""Says if connscope runs here, since when, how it captures, and where its page is."""

from __future__ import annotations

import argparse
import os
import time

from connscope.agent.instance import find_instance
from connscope.agent.paths import runtime_dir
from connscope.cli.exit_codes import FAILED, FINE

__all__ = ("add_arguments", "run")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none."""


def run(arguments: argparse.Namespace) -> int:
    """Prints it; exit code 1 if it does not run."""
    found = find_instance(runtime_dir(os.environ))
    if found is None:
        print("connscope does not run here; `connscope launch` starts it")
        return FAILED
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(found.since_s))
    print(f"connscope runs since {since}, pid {found.pid}")
    print(f"capturing: {found.tier}" if found.tier else "capturing: nothing, only the server runs")
    if found.url:
        print(f"its page: {found.url}")
    return FINE
