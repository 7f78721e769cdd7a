"""The capabilities that this process holds."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ("held_capabilities", "missing_capabilities", "parse_capabilities")

# Bit numbers of linux/capability.h: only those that connscope ever asks for.
BITS = {
    "CAP_DAC_READ_SEARCH": 2,
    "CAP_KILL": 5,
    "CAP_NET_ADMIN": 12,
    "CAP_SYS_PTRACE": 19,
    "CAP_SYS_ADMIN": 21,
    "CAP_SYS_RESOURCE": 24,
    "CAP_PERFMON": 38,
    "CAP_BPF": 39,
}
# Before 5.8 CAP_SYS_ADMIN was needed for what these allow, and it still includes them.
IMPLIED_BY_SYS_ADMIN = ("CAP_BPF", "CAP_PERFMON")


def held_capabilities(status: Path = Path("/proc/self/status")) -> frozenset[str]:
    """Names of the effective capabilities that connscope knows, e.g. ``CAP_BPF``."""
    return parse_capabilities(status.read_text(errors="replace"))


def parse_capabilities(status: str) -> frozenset[str]:
    """Those that are effective according to a /proc/PID/status; none if it does not say."""
    said = re.search(r"^CapEff:\s*([0-9a-fA-F]+)$", status, re.MULTILINE | re.ASCII)
    mask = int(said[1], 16) if said else 0
    held = {name for name, bit in BITS.items() if mask >> bit & 1}
    if "CAP_SYS_ADMIN" in held:
        held.update(IMPLIED_BY_SYS_ADMIN)
    return frozenset(held)


def missing_capabilities(wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the wanted capabilities that this process does not hold, in the given order."""
    held = held_capabilities()
    return tuple(name for name in wanted if name not in held)
