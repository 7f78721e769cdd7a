"""Network namespaces of the process that makes the traffic; the kernel ends them with it."""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = (
    "CLONE_NEWNET",
    "MINE",
    "Namespace",
    "call_kernel",
    "counters",
    "forget_nft",
    "leave_for_good",
    "nft",
    "run",
    "sysctl",
)

CLONE_NEWNET = 0x40000000
MINE = "/proc/thread-self/ns/net"
PRIORITIES = {"prerouting": -100, "input": 0, "postrouting": 100}
libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A new network namespace; inside of ``with`` it is the thread's own.

    A socket stays where it was made, so one process has ends in several namespaces.
    """

    def __init__(self) -> None:
        before = os.open(MINE, os.O_RDONLY | os.O_CLOEXEC)
        try:
            leave_for_good()
            self._fd = os.open(MINE, os.O_RDONLY | os.O_CLOEXEC)
            self.inode = os.fstat(self._fd).st_ino
            run("ip link set lo up")
        finally:
            call_kernel("setns", before, CLONE_NEWNET)
            os.close(before)
        self._outside: list[int] = []

    @property
    def path(self) -> str:
        """What ``ip … netns`` takes for a name."""
        return f"/proc/{os.getpid()}/fd/{self._fd}"

    def close(self) -> None:
        """Gives up our hold of it; it lives on while it has sockets or other processes."""
        os.close(self._fd)

    def __enter__(self) -> Self:
        self._outside.append(os.open(MINE, os.O_RDONLY | os.O_CLOEXEC))
        call_kernel("setns", self._fd, CLONE_NEWNET)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        outside = self._outside.pop()
        call_kernel("setns", outside, CLONE_NEWNET)
        os.close(outside)


def leave_for_good() -> None:
    """Moves this thread into a namespace that nobody else has; nothing in it is up."""
    call_kernel("unshare", CLONE_NEWNET)


def call_kernel(name: str, *arguments: int) -> None:
    """Calls a system call of the C library by its name."""
    if getattr(libc, name)(*arguments):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def run(command: str) -> None:
    """Runs ``ip …`` or the like in this thread's namespace."""
    subprocess.run(command.split(), check=True, stdin=subprocess.DEVNULL)


def nft(kind: str, hook: str, rule: str) -> None:
    """Adds a rule of nftables for IPv4 here: ``nft("filter", "input", "tcp dport 80 drop")``."""
    chain = f"ip {kind} {hook}"
    commands = (
        f"add table ip {kind}",
        f"add chain {chain} {{ type {kind} hook {hook} priority {PRIORITIES[hook]}; }}",
        f"add rule {chain} {rule}",
    )
    subprocess.run(["nft", "-f", "-"], input="\n".join(commands), text=True, check=True)


def forget_nft() -> None:
    """Takes all rules of nftables away again."""
    run("nft flush ruleset")


def sysctl(name: str, value: str) -> None:
    """Sets a kernel setting of this thread's namespace, ``net/ipv4/tcp_fastopen``."""
    Path("/proc/sys", name).write_text(value)


def counters(protocol: str) -> dict[str, int]:
    """What the kernel counted of a protocol in this thread's namespace: ``Tcp``, ``TcpExt``."""
    for name in ("snmp", "netstat"):
        lines = Path("/proc/thread-self/net", name).read_text().splitlines()
        for names, values in zip(lines[::2], lines[1::2], strict=True):
            if names.startswith(f"{protocol}:"):
                return dict(zip(names.split()[1:], map(int, values.split()[1:]), strict=True))
    raise KeyError(protocol)
