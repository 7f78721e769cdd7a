"""Whether the kernel follows flows, and for how long it remembers them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

__all__ = ("UdpTimeouts", "is_conntrack_loaded", "read_udp_timeouts")

SYSCTLS = Path("/proc/sys/net/netfilter")


class UdpTimeouts(NamedTuple):
    """So long after its last datagram conntrack forgets a flow.

    Attributes:
        single_s: where only one end has spoken, or both for less than two seconds.
        stream_s: of others.
    """

    single_s: int = 30
    stream_s: int = 120


def is_conntrack_loaded() -> bool:
    """Whether nf_conntrack is there; where it is not no rule of any network namespace needs it."""
    return (SYSCTLS / "nf_conntrack_count").exists()


def read_udp_timeouts() -> UdpTimeouts:
    """Those of the network namespace that this thread is in; the kernel's own if they can not be
    read."""
    with suppress(OSError, ValueError):
        return UdpTimeouts(
            int((SYSCTLS / "nf_conntrack_udp_timeout").read_text()),
            int((SYSCTLS / "nf_conntrack_udp_timeout_stream").read_text()),
        )
    return UdpTimeouts()
