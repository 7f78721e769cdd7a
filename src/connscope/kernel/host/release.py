"""Which kernel this is. For people to read: what it can do is found by trying, never from this."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

__all__ = ("Release", "read_release")


@dataclass(frozen=True, slots=True)
class Release:
    """A kernel.

    Attributes:
        name: ``6.12.9-amd64``.
        machine: ``x86_64``.
        has_btf: whether it describes its own types.
    """

    name: str
    machine: str
    has_btf: bool


def read_release(btf: Path = Path("/sys/kernel/btf/vmlinux")) -> Release:
    """The running kernel."""
    system = os.uname()
    return Release(system.release, system.machine, btf.exists())
