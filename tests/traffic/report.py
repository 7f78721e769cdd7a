"""What a kind of traffic did, as its applications counted it: one JSON object."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ("End", "Report", "make")

PATIENCE_S = 120
TREE = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class End:
    """One end of a connection; a connection within the machine has two.

    Attributes:
        role: ``client`` or ``server``.
        local: address and port, ``127.0.0.1:80`` or ``[::1]:80``.
        peer: the same of the other side, as this end sees it.
        sent: payload bytes that its calls accepted.
        received: payload bytes that its calls took out; a peek is no taking.
        unread: bytes that arrived and were never taken.
        netns: inode of the socket's network namespace.
        pid: the process that used it.
        retransmits: segments that TCP sent again, as TCP_INFO says at the end.
        protocol: ``tcp``, ``mptcp`` or ``udp``.
        outcome: ``closed``, or why the connect failed: ``refused``, ``timeout``, ``abandoned``.
    """

    role: str
    local: str
    peer: str
    sent: int
    received: int
    unread: int
    netns: int
    pid: int
    retransmits: int = 0
    protocol: str = "tcp"
    outcome: str = "closed"


@dataclass(frozen=True)
class Report:
    """All ends that a kind made, in the order in which they were done."""

    kind: str
    connections: tuple[End, ...]

    def to_json(self) -> str:
        """The one line on stdout."""
        return json.dumps(
            {"kind": self.kind, "connections": [asdict(end) for end in self.connections]}
        )

    @classmethod
    def from_json(cls, text: str) -> Report:
        """The report of such a line."""
        read = json.loads(text)
        return cls(read["kind"], tuple(End(**end) for end in read["connections"]))


def make(kind: str, **options: int) -> Report:
    """Makes the traffic in a process of its own and waits for it.

    Raises:
        AssertionError: the traffic could not be made; its last words are in the message.
        subprocess.TimeoutExpired: it hangs.
    """
    words = [f"{name}={value}" for name, value in options.items()]
    finished = subprocess.run(
        [sys.executable, "-m", "tests.traffic", kind, *words],
        cwd=TREE,
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert finished.returncode == 0, f"{kind}: {finished.stderr}"
    return Report.from_json(finished.stdout)
