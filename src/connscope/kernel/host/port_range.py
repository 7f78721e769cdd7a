"""Which ports the kernel gives to sockets that ask for none."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from connscope.errors import NotPermittedError
from connscope.kernel.host.network_namespaces import entered_network_namespace

__all__ = ("DEFAULT_PORT_RANGE", "PortRange", "parse_port_range", "read_port_range")

OWN = Path("/proc/thread-self/ns/net")
SYSCTL = Path("/proc/sys/net/ipv4/ip_local_port_range")
HIGHEST_PORT = 0xFFFF


class PortRange(NamedTuple):
    """The first and the last port."""

    first: int
    last: int


DEFAULT_PORT_RANGE = PortRange(32768, 60999)
"""What a new namespace starts with (4.2)."""


def parse_port_range(text: str) -> PortRange:
    """The range as net.ipv4.ip_local_port_range says it; the default if it does not say one."""
    words = text.split()
    if len(words) != len(PortRange._fields) or not all(word.isdecimal() for word in words):
        return DEFAULT_PORT_RANGE
    first, last = map(int, words)
    return PortRange(first, last) if first <= last <= HIGHEST_PORT else DEFAULT_PORT_RANGE


def read_port_range(namespace: Path = OWN, sysctl: Path = SYSCTL) -> PortRange:
    """The range of a network namespace, for IPv4 and IPv6; the default if it can not be read.

    The kernel shows a thread the settings of the namespace that the thread is in.

    Args:
        namespace: as `find_network_namespaces` gives it.
        sysctl: the file that says it.

    Raises:
        FailedError: this thread is not where it was.
    """
    try:
        with entered_network_namespace(namespace):
            return _read(sysctl)
    except (OSError, NotPermittedError):  # gone, forbidden, no descriptors left
        return DEFAULT_PORT_RANGE


def _read(sysctl: Path) -> PortRange:
    try:
        return parse_port_range(sysctl.read_text())
    except OSError:
        return DEFAULT_PORT_RANGE
