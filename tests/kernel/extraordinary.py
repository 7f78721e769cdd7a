"""What the contract of the tiers does not cover: kinds of traffic that are not ordinary, and why.

Everything that is not named here is held to the contract.
"""

from __future__ import annotations

import errno
from collections import defaultdict

from connscope.capture.contract import Certainty
from connscope.row.words import ClosedBy, Group, State, Tier

__all__ = ("ENDED_BY", "ENDED_BY_DELAY", "ERRORS", "INSTEAD", "OLDER", "QUEUED", "WIPED")

E, U = Certainty.ESTIMATED, Certainty.UNKNOWN
NEVER_OPEN = {Group.LIFE: U, Group.JOIN: U}

INSTEAD: dict[tuple[Tier, str, str], dict[Group, Certainty]] = {
    # Its FIN was never acknowledged when the reset came: who ended it is an inference.
    (Tier.BTF, "reset_of_orphan", "client"): {Group.QUALITY: E},
    (Tier.BTF, "unread_at_close_by_peer", "client"): {Group.QUALITY: E},
    (Tier.BTF, "fast_open_refused", "client"): {Group.QUALITY: E},
    # It ended before its handshake was done, so it never opened and no ISN was fixed.
    (Tier.BTF, "fast_open_closed_early", "server"): NEVER_OPEN,
    (Tier.BTF, "fast_open_reset_early", "server"): NEVER_OPEN,
    # So it was never looked at: SYN_RECV is no open connection. Then the role is a guess.
    (Tier.NETLINK, "fast_open_closed_early", "server"): {Group.OWNER: U, Group.ENDS: E},
}
"""What is claimed instead of a group, of one role of a kind."""

INSTEAD |= {
    (Tier.KPROBE, kind, role): groups
    for (tier, kind, role), groups in INSTEAD.items()
    if tier == Tier.BTF
}

QUEUED = {"accept_queue_overflow"}
"""Connections that wait to be accepted when they are looked at: then nobody holds them, and without
BPF those that are accepted and close before the next look have no owner."""

OLDER = {tier: {Group.LIFE: U, Group.OWNER: E} for tier in (Tier.BTF, Tier.KPROBE)}
"""The same of connections that are older than the tier: nobody knows when they opened, and the
owner is who holds the socket, not who made it."""

WIPED = {
    ("reset_with_unsent", "client"),
    ("reset_after_half_close", "server"),
    ("fast_open_reset_early", "server"),
    ("linger_zero", "client"),
    ("port_reuse", "client"),
    ("cut_off", "server"),
}
"""Whoever resets by SO_LINGER: the kernel wipes the socket before it tells netlink that it is gone.
If it was looked at its row has the counters of then; else it is counted as lost."""

NORMAL = {"client": ClosedBy.LOCAL, "server": ClosedBy.PEER}
SERVER_FIRST = {"client": ClosedBy.PEER, "server": ClosedBy.LOCAL}
CLIENT_RESETS = {"client": ClosedBy.LOCAL_RESET, "server": ClosedBy.PEER_RESET}
SERVER_RESETS = {"client": ClosedBy.PEER_RESET, "server": ClosedBy.LOCAL_RESET}

ENDED_BY: dict[str, dict[str, ClosedBy]] = defaultdict(
    lambda: NORMAL,
    half_close_by_server=SERVER_FIRST,
    prefork=SERVER_FIRST,
    threads=SERVER_FIRST,
    fast_open_closed_early=SERVER_FIRST,
    simultaneous_close={"client": ClosedBy.LOCAL, "server": ClosedBy.LOCAL},
    simultaneous_open={},
    reset_with_unsent=CLIENT_RESETS,
    linger_zero=CLIENT_RESETS,
    port_reuse=CLIENT_RESETS,
    reset_with_unread=SERVER_RESETS,
    reset_after_half_close=SERVER_RESETS,
    reset_of_orphan=SERVER_RESETS,
    unread_at_close_by_peer=SERVER_RESETS,
    fast_open_refused=SERVER_RESETS,
    fast_open_reset_early=SERVER_RESETS,
    cut_off={"client": ClosedBy.TIMEOUT, "server": ClosedBy.LOCAL_RESET},
    reset_of_last_ack={"client": ClosedBy.LOCAL, "server": ClosedBy.PEER_RESET},
)
"""Who ends a kind, as each role has to say it; empty where both roles are the same."""

ENDED_BY_DELAY: dict[tuple[str, str, State], ClosedBy] = {
    ("unread_at_close_by_peer", "client", State.FIN_WAIT2): ClosedBy.LOCAL,
}
"""Kind, role, last state → who ended it then. The delayed acknowledgement of its FIN left after 40
ms, before the peer had closed: for the client that is an end in order, whatever the peer does."""

ERRORS = {ClosedBy.PEER_RESET: errno.ECONNRESET, ClosedBy.TIMEOUT: errno.ETIMEDOUT}
"""The errno of each; others have none."""
