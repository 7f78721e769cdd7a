"""A network namespace in which conntrack follows flows, and what was told of it."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from connscope.capture.tier import CaptureTier
from connscope.row.columns import ROW, Rows
from connscope.row.words import Group, Kind, Protocol
from tests.kernel.namespace import Namespace
from tests.kernel.recorder import PATIENCE_S, describe

__all__ = ("FollowedNamespace", "Heard", "short_flow")

RULE = "ct state established counter accept"
LIVES_THERE = ("sleep", "600")


class FollowedNamespace(Namespace):
    """Somebody lives in it, so that it is found, and a rule needs conntrack.

    Args:
        rule: of nftables; one without ``ct`` needs none.
        acct: bytes are counted.
        timeout_s: a flow is forgotten so long after its last datagram.
    """

    def __init__(self, rule: str = RULE, *, acct: bool = True, timeout_s: int = 30) -> None:
        super().__init__()
        with self.entered():
            self._resident = subprocess.Popen(LIVES_THERE)
        self.filter(rule)
        self.set("netfilter/nf_conntrack_acct", int(acct))
        self.set("netfilter/nf_conntrack_udp_timeout", timeout_s)

    def udp(self, address: str = "127.0.0.1", port: int = 0) -> socket.socket:
        """A UDP socket of the namespace, bound."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with self.entered():
            made = socket.socket(family, socket.SOCK_DGRAM)
        made.settimeout(PATIENCE_S)
        made.bind((address, port))
        return made

    def hasten(self) -> None:
        """From its next datagram on a flow is forgotten after a second."""
        for name in ("nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream"):
            self.set(f"netfilter/{name}", 1)

    def close(self) -> None:
        """Lets go of it."""
        self._resident.kill()
        self._resident.wait()
        super().close()


class Heard:
    """All UDP rows that a tier has told of a namespace.

    Args:
        tier: open.
        netns: inode of the namespace.
    """

    def __init__(self, tier: CaptureTier, netns: int) -> None:
        self.tier, self.netns = tier, netns
        self.rows: Rows = np.empty(0, ROW)

    def drain(self) -> Rows:
        """Takes out all that is there; returns everything so far."""
        while len(found := self.tier.events()):
            here = (found["netns"] == self.netns) & (found["protocol"] == Protocol.UDP)
            self.rows = np.concatenate((self.rows, found[here]))
        return self.rows

    def until(self, condition: Callable[[Rows], Any]) -> Rows:
        """Listens, and looks now and then, until the condition holds for the rows so far."""
        end = time.monotonic() + PATIENCE_S
        while not condition(self.drain()):
            assert time.monotonic() < end, describe(self.rows)
            if not self.tier.wait(0.2):
                self.tier.look()
        return self.rows

    def of(self, kind: Kind, count: int = 1, **columns: Any) -> Rows:
        """Waits for so many rows of a kind with those column values; there are no more."""

        def chosen(rows: Rows) -> Rows:
            found = rows["kind"] == kind
            for name, value in columns.items():
                found &= rows[name] == value
            picked: Rows = rows[found]
            return picked

        found = chosen(self.until(lambda rows: len(chosen(rows)) >= count))
        assert len(found) == count, describe(found)
        return found

    def flow(self, port: int, known: Group = Group.TRAFFIC) -> Any:
        """The flow of a local port, as soon as a look knows that of it. On a slow machine not each
        look asks conntrack."""
        found = list[Any]()

        def is_shown(_: Rows) -> bool:
            rows = self.shown()
            rows = rows[(rows["local_port"] == port) & (rows["known"] & known == known)]
            found[:] = rows
            return len(rows) == 1

        self.until(is_shown)
        return found[0]

    def shown(self, *, flows: bool = True) -> Rows:
        """A look at the namespace: UDP with a peer, or without."""
        rows = self.tier.look()
        here = (rows["netns"] == self.netns) & (rows["protocol"] == Protocol.UDP)
        here &= (rows["peer_port"] > 0) == flows
        found: Rows = rows[here]
        return found


def short_flow(there: Namespace, server: socket.socket, sent: int = 100, back: int = 7) -> int:
    """A question and its answer, by a socket that is closed at once; its port."""
    family, address = server.family, server.getsockname()
    with there.entered():
        client = socket.socket(family, socket.SOCK_DGRAM)
    with client:
        client.settimeout(PATIENCE_S)
        client.connect(address)
        client.send(b"x" * sent)
        asked, who = server.recvfrom(65536)
        assert len(asked) == sent
        server.sendto(b"y" * back, who)
        assert len(client.recv(65536)) == back
        return int(client.getsockname()[1])
