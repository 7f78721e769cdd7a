"""What each tier promises of each group of columns: for doctor, the documentation, the tests."""

from __future__ import annotations

from enum import StrEnum

from connscope.row.words import Group, Tier

__all__ = ("CONNTRACK_CONTRACT", "CONTRACT", "UDP_CONTRACT", "Certainty")


class Certainty(StrEnum):
    """How well a tier knows a group of columns."""

    EXACT = "exact"
    """The truth, in every row but those whose `exact` says no."""

    ESTIMATED = "estimated"
    """Filled, but it may be wrong; `exact` has the bit in those rows that are proven."""

    UNKNOWN = "unknown"
    """Not filled; `known` has no bit."""


_GROUPS = (
    Group.IDENTITY,
    Group.ENDS,
    Group.OWNER,
    Group.TRAFFIC,
    Group.QUALITY,
    Group.LIFE,
    Group.JOIN,
)
_E, _A, _U = Certainty.EXACT, Certainty.ESTIMATED, Certainty.UNKNOWN

CONTRACT: dict[Tier, dict[Group, Certainty]] = {
    Tier.BTF: dict(zip(_GROUPS, (_E, _E, _E, _E, _E, _E, _E), strict=True)),
    Tier.KPROBE: dict(zip(_GROUPS, (_E, _E, _E, _E, _E, _E, _E), strict=True)),
    Tier.NETLINK: dict(zip(_GROUPS, (_A, _E, _A, _A, _A, _A, _U), strict=True)),
    Tier.PROCFS: dict(zip(_GROUPS, (_A, _E, _A, _U, _U, _A, _U), strict=True)),
}
"""Of a TCP connection that opens and closes in the ordinary way, a second or more apart, while the
tier captures. The owner of an accepted connection is exact in btf only where accept is watched.

Where there are looks alone, netlink and procfs, three things are left out of it: connections of a
network namespace that has neither a process nor a mount are not seen; when a connection opened is
in its opened row and not in its closed row; and in procfs the role of a connection is the word
unknown, though its ends are exact."""

UDP_CONTRACT: dict[Tier, dict[Group, Certainty]] = {
    Tier.BTF: dict(zip(_GROUPS, (_E, _E, _E, _E, _U, _E, _U), strict=True)),
    Tier.KPROBE: dict(zip(_GROUPS, (_E, _E, _E, _E, _U, _E, _U), strict=True)),
    Tier.NETLINK: dict(zip(_GROUPS, (_E, _E, _A, _U, _U, _U, _U), strict=True)),
    Tier.PROCFS: dict(zip(_GROUPS, (_A, _E, _A, _U, _U, _U, _U), strict=True)),
}
"""The same of UDP. In btf and kprobe of the flows that `udp` counts, where the kernel has what that
needs: of sockets that are bound to an address, by calls that name the peer or on a connected
socket. In the other tiers of a socket in a look."""

CONNTRACK_CONTRACT: dict[Tier, dict[Group, Certainty]] = {
    tier: dict(zip(_GROUPS, (_E, _E, _A, _A, _U, _A, _U), strict=True))
    for tier in (Tier.NETLINK, Tier.PROCFS)
}
"""Of a UDP flow that conntrack follows, with `udp`, of a socket that a look has shown: when it is
over, and in looks. Without nf_conntrack_acct the traffic is unknown."""
