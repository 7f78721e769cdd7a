"""What a command says on stderr of the way it captures."""

from __future__ import annotations

from collections.abc import Mapping

from connscope.capture.contract import CONTRACT, Certainty
from connscope.capture.tier import Looker
from connscope.errors import KernelError, NotPermittedError
from connscope.row.words import Tier, word

__all__ = ("announce_capture", "announce_fall")


def announce_capture(looker: Looker, refusals: Mapping[Tier, KernelError]) -> str:
    """The first lines of a command that captures: with what, why not better, what is missing."""
    inexact = [
        f"{word(group)} {certainty}"
        for group, certainty in CONTRACT[looker.tier].items()
        if certainty != Certainty.EXACT
    ]
    if not inexact and not looker.limits:
        inexact = ["all groups exact"]
    capturing = ", ".join([f"capturing: {word(looker.tier)}", *inexact])
    return "\n".join([*_fall(looker, refusals), capturing, *looker.limits])


def announce_fall(looker: Looker, refusals: Mapping[Tier, KernelError]) -> str:
    """The same of a command that looks once: nothing, as long as it is the best way."""
    return "\n".join([*_fall(looker, refusals), *looker.limits]) if refusals else ""


def _fall(looker: Looker, refusals: Mapping[Tier, KernelError]) -> list[str]:
    if not refusals:
        return []
    best = refusals[min(refusals)]
    reason = str(best)
    if isinstance(best, NotPermittedError) and best.missing:
        reason = f"needs {', '.join(best.missing)}"
    return [f"WARN falling back to {word(looker.tier)}: {reason}"]
