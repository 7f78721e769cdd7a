"""Whether conntrack tells of UDP flows here."""

from __future__ import annotations

from connscope.capture.conntrack.trial import see_own_flow
from connscope.kernel.feature import Outcome, probe

__all__ = ("try_conntrack",)

GIVES = "short UDP flows in netlink and procfs, with udp = true"
WITHOUT_BYTES = "without their bytes: sysctl net.netfilter.nf_conntrack_acct is 0 here"


def try_conntrack() -> tuple[Outcome, str, str]:
    """Sees a datagram to ourselves: what became of it, what it gives, what it gives not."""
    counts = True

    def see() -> None:
        nonlocal counts
        counts = see_own_flow()

    outcome = probe("UDP flows by conntrack", see)
    return outcome, GIVES, "" if counts else WITHOUT_BYTES
