"""How far the kernel is locked down, see kernel_lockdown(7)."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from connscope.kernel.host.detached_mount import read_detached

__all__ = ("parse_lockdown", "read_lockdown")

SECURITYFS = Path("/sys/kernel/security/lockdown")


@cache
def read_lockdown() -> str:
    """``none``, ``integrity`` or ``confidentiality``; empty if it can not be known.

    Cached: lockdown can only be raised, and what was loaded before stays.
    """
    try:
        text = SECURITYFS.read_text()
    except OSError:
        try:
            text = read_detached("securityfs", "lockdown")
        except OSError:
            return ""
    return parse_lockdown(text)


def parse_lockdown(text: str) -> str:
    """The word in brackets: ``none [integrity] confidentiality``; empty if there is none."""
    chosen = re.search(r"\[(none|integrity|confidentiality)\]", text)
    return chosen[1] if chosen else ""
