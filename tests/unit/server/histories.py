"""Histories for property tests: some hosts whose connections come, move, and go."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from connscope.report.report import Report
from connscope.row.columns import Rows
from tests.unit.server.reports import Machine, client, closed, listener, refused, server

HOSTS = ("alpha", "beta", "gamma")

KINDS = (
    *("open", "open one end", "move", "close", "vanish"),
    *("refuse", "listen", "wait", "full"),
)
ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ("open", "open one end", "move", "close", "vanish", "refuse", "listen", "wait", "full")
        ),
        st.integers(0, 30),
        st.integers(0, 2),
        st.booleans(),
    ),
    max_size=25,
)


@dataclass
class History:
    """What the hosts have open, by host and id."""

    machines: list[Machine] = field(default_factory=lambda: [Machine(name) for name in HOSTS])
    open: list[dict[int, Rows]] = field(default_factory=lambda: [{} for _ in HOSTS])
    number: int = 0

    def play(self, actions: list[tuple[str, int, int, bool]]) -> Iterator[tuple[float, Report]]:
        """Reports and when they come."""
        now_s = 100.0
        for host in range(len(HOSTS)):
            yield now_s, self.machines[host].report()
        for action, amount, host, by_isn in actions:
            now_s += amount / 2 if action == "wait" else 0.3
            yield from ((now_s, report) for report in self._act(action, amount, host, by_isn))

    def _act(self, action: str, amount: int, host: int, by_isn: bool) -> Iterator[Report]:
        mine, machine = self.open[host], self.machines[host]
        if action.startswith("open"):
            yield from self._open(host, amount, by_isn, both=action == "open")
        elif action == "refuse":
            self.number += 1
            yield machine.report(ended=[refused(self.number)])
        elif action == "listen":
            row = listener(1000 + amount, local_port=440 + amount)
            mine[1000 + amount] = row
            yield machine.report(row)
        elif action == "full":
            yield machine.report(*mine.values(), full=True)
        elif mine and action != "wait":
            place = sorted(mine)[amount % len(mine)]
            row = mine[place]
            if action == "move":
                row["bytes_sent"] += amount * 1000
                row["retransmits"] += amount % 3
                yield machine.report(row)
            else:
                del mine[place]
                vanish = action == "vanish"
                yield machine.report(
                    ended=[] if vanish else [closed(row)], gone=[place] if vanish else []
                )

    def _open(self, host: int, amount: int, by_isn: bool, *, both: bool) -> Iterator[Report]:
        self.number += 1
        there = (host + amount) % len(HOSTS)
        ends: dict[str, Any] = {
            "local_address": f"10.0.0.{host + 1}",
            "peer_address": f"10.0.0.{there + 1}",
            "peer_port": 440 + amount % 4,
            "pid": 100 + amount % 5,
            "comm": f"worker-{amount % 3}".encode(),
            "uid": 1000 + amount % 2,
            "rtt_us": amount * 10,
        }
        if not by_isn:
            ends |= {"known": 63, "exact": 63}
        one = client(self.number, **ends)
        self.open[host][self.number] = one
        yield self.machines[host].report(one)
        if both:
            other = server(one)
            number = int(other["connection_id"][0])
            self.open[there][number] = other
            yield self.machines[there].report(other)
