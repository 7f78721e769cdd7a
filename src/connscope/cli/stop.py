"""Ends the connscope that runs here, with all of its processes."""

from __future__ import annotations

import argparse
import os

from connscope.agent.instance import end_instance, find_instance
from connscope.agent.paths import runtime_dir
from connscope.cli.exit_codes import FAILED, FINE
from connscope.errors import FailedError

__all__ = ("add_arguments", "run")

PATIENCE_S = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none."""


def run(arguments: argparse.Namespace) -> int:
    """Ends it and waits for that; exit code 1 if it did not run."""
    found = find_instance(runtime_dir(os.environ))
    if found is None:
        print("connscope does not run here")
        return FAILED
    if not end_instance(found, PATIENCE_S):
        raise FailedError("stop", f"pid {found.pid} has not ended within {PATIENCE_S:.0f} s")
    print("connscope has ended")
    return FINE
