"""How tests run a program without any privilege."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import connscope

__all__ = ("WITHOUT_PRIVILEGES", "told_without_privileges")

TREE = Path(__file__).parents[1]


def _prefix() -> list[str]:
    if os.geteuid():
        return []
    command = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all"]
    owner = TREE.stat()
    if owner.st_uid:
        command += ["--reuid", f"{owner.st_uid}", "--regid", f"{owner.st_gid}", "--clear-groups"]
    return command


WITHOUT_PRIVILEGES = _prefix()
"""In front of a command. It runs as whoever owns the tree, who may be the only one that may read
it: root without capabilities can not look into somebody's home."""


def told_without_privileges(program: str) -> Any:
    """What a Python program prints as JSON, run so, far from the tree."""
    finished = subprocess.run(  # ours
        [*WITHOUT_PRIVILEGES, sys.executable, "-B", "-c", program],
        env={"PYTHONPATH": str(Path(connscope.__file__).parents[1])},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert not finished.returncode, finished.stderr
    return json.loads(finished.stdout)
