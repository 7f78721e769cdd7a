"""How tests run a program without any privilege."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ("WITHOUT_PRIVILEGES",)

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
