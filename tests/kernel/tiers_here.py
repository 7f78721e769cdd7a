"""The tiers that this machine's kernel is built for."""

from __future__ import annotations

from pathlib import Path

from connscope.capture.contract import CONTRACT
from connscope.row.words import Tier

__all__ = ("HAS_KPROBES", "SEES_ALL", "TELLS_CLOSES", "TIERS_HERE")

HAS_KPROBES = Path("/sys/bus/event_source/devices/kprobe").exists()
"""What the kernel's own list of event sources says, which connscope does not ask."""

TIERS_HERE = [tier for tier in CONTRACT if tier != Tier.KPROBE or HAS_KPROBES]
SEES_ALL = (Tier.BTF, Tier.KPROBE)
"""Their events tell of every connection, in every network namespace."""

TELLS_CLOSES = [tier for tier in TIERS_HERE if tier != Tier.PROCFS]
"""Those that tell closes without having looked before."""
