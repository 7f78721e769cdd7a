"""Runs ``connscope`` as people do, without any privilege."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.unprivileged import WITHOUT_PRIVILEGES

CONNSCOPE = (sys.executable, "-B", "-m", "connscope.cli")
CHANGES_IT = ("CONNSCOPE_", "PYTHONUNBUFFERED")

Done = subprocess.CompletedProcess[str]


def run_connscope(*arguments: str, stdout: int = subprocess.PIPE, **environment: str) -> Done:
    """Runs to the end, with our environment but for what would change it, and what is given."""
    ours = {name: text for name, text in os.environ.items() if not name.startswith(CHANGES_IT)}
    return subprocess.run(
        [*WITHOUT_PRIVILEGES, *CONNSCOPE, *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env=ours | environment,
    )
