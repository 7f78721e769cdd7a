"""A ladder that stays as it is when the machine's gets another rung."""

from __future__ import annotations

from connscope.capture.ladder import LADDER
from connscope.row.words import Tier

__all__ = ("THREE_TIERS",)

THREE_TIERS = {tier: LADDER[tier] for tier in (Tier.BTF, Tier.NETLINK, Tier.PROCFS)}
