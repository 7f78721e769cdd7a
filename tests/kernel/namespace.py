"""Programs in a network namespace of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

PATIENCE_S = 30


def run_in_namespace(program: str, *commands: str) -> Any:
    """Runs Python text in a new network namespace; returns what it prints as JSON.

    Args:
        program: the text; `socket`, `os`, `json` and `errno` are imported.
        commands: shell commands run before it, e.g. ``ip link set lo up``.
    """
    prelude = "import errno, json, os, socket, struct, time\n"
    script = " && ".join((*commands, 'exec "$0" -c "$1"'))
    finished = subprocess.run(
        ["unshare", "--net", "sh", "-c", script, sys.executable, prelude + program],
        check=True,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    return json.loads(finished.stdout)
