"""The kernel's own counters of a network namespace: what we say is compared with them."""

from __future__ import annotations

from pathlib import Path

__all__ = ("count_all_tcp_sockets", "count_tcp_sockets", "parse_mib", "read_mib")

FILES = ("snmp", "netstat")


def parse_mib(text: str) -> dict[str, int]:
    """The counters of /proc/net/snmp or netstat, named as nstat(8) does: ``TcpActiveOpens``.

    Each group is a line of names and a line of values; what is not so is left out.
    """
    found: dict[str, int] = {}
    names: list[str] = []
    for line in text.splitlines():
        words = line.split()
        if names and words and words[0] == names[0]:
            prefix = words[0].removesuffix(":")
            for name, value in zip(names[1:], words[1:], strict=False):
                if value.removeprefix("-").isdecimal():
                    found[prefix + name] = int(value)
            names = []
        else:
            names = words
    return found


def read_mib(pid: int | str = "self", proc: Path = Path("/proc")) -> dict[str, int]:
    """All counters of the network namespace that a process is in.

    Raises:
        OSError: the process is gone, or may not be looked at.
    """
    found: dict[str, int] = {}
    for name in FILES:
        found |= parse_mib((proc / str(pid) / "net" / name).read_text())
    return found


def count_tcp_sockets(net: Path = Path("/proc/thread-self/net")) -> int:
    """How many TCP sockets of this thread's network namespace listen or have a peer.

    Without IPv6 there is no second file.
    """
    found = 0
    for name, protocol in (("sockstat", "TCP:"), ("sockstat6", "TCP6:")):
        path = net / name
        for line in path.read_text().splitlines() if path.exists() else ():
            words = line.split()
            if words[:2] == [protocol, "inuse"]:
                found += int(words[2])
    return found


def count_all_tcp_sockets(net: Path = Path("/proc/thread-self/net")) -> int:
    """How many TCP sockets all network namespaces have, those that are bound to nothing too.

    ``alloc`` is a counter of the protocol, of both families; 0 if there is none.
    """
    for line in (net / "sockstat").read_text().splitlines():
        words = line.split()
        if words[:1] == ["TCP:"] and "alloc" in words:
            return int(words[words.index("alloc") + 1])
    return 0
