"""Ends a tier on purpose: for tests, and for those who want to see what happens then."""

from __future__ import annotations

import stat
from pathlib import Path

__all__ = ("KillSwitch",)

ORDER = "kill-tier"
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class KillSwitch:
    """Looks for an order in a directory that only root can write to.

    Args:
        directory: it need not exist.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def is_pulled(self) -> bool:
        """Whether there was an order; it is deleted, so each is obeyed once."""
        order = self._directory / ORDER
        try:
            order.lstat()  # the usual answer, no, costs one system call
            found = self._directory.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid or _may_others_write(found.st_mode):
                return False
            order.unlink()
        except OSError:
            return False
        return True


def _may_others_write(mode: int) -> bool:
    return bool(mode & WRITABLE_BY_OTHERS)
