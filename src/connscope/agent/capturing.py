"""The process with the capabilities: it tracks, and hands over a report after each look.

It reads nothing that came over the network.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict

from connscope.agent.audit_summary import summarize_audit
from connscope.agent.channel import Channel
from connscope.agent.ended import Ended
from connscope.agent.host import Host
from connscope.capture.contract import CONTRACT
from connscope.config import Config
from connscope.kernel.host.clock import boottime_ns, wall_minus_boottime_ns
from connscope.kernel.host.heap import give_back_freed_memory
from connscope.kernel.procfs.processes import read_process
from connscope.report.delta import Deltas
from connscope.report.report import Look, Name
from connscope.row.columns import Rows
from connscope.row.words import Tier, word
from connscope.tracker.tracker import Tracker

__all__ = ("Capturing",)

CHECK_S = 0.5
PACE_S = 0.1

OWN = "own"
"""What connscope's own processes are marked with: their traffic is that of the tool."""


class Capturing:
    """Reports what the tracker knows, until somebody stops it.

    Args:
        tracker: open or not; it is used by one thread only.
        channel: to the process that sends the reports on.
        host: that we are on.
        config: `report_interval_s`, `drain_interval_s`, `closed_rows`.
        early: what the tracker told when it was opened.
        own_pids: of the processes of this program.
        check: is called now and then; what it raises ends the capture.
    """

    def __init__(
        self,
        tracker: Tracker,
        channel: Channel,
        host: Host,
        config: Config,
        early: Rows,
        own_pids: Iterable[int] = (),
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.tracker, self._channel, self._host = tracker, channel, host
        self._interval_s = config.report_interval_s
        self._deltas = Deltas()
        self._ended = Ended(config.closed_rows)
        self._ended.add(early)
        self._check = check
        # Reports are seconds apart: to take in each event by itself would cost more than all the
        # looks. Until one is due we only watch that the ring does not fill up.
        self._pace_s = max(config.drain_interval_s, min(PACE_S, config.report_interval_s / 10))
        self._names = tuple(_own_names((os.getpid(), *own_pids)))
        self._stopping = threading.Event()
        self._looks = 0

    def run(self) -> None:
        """Reports after each look, and once more at the end.

        Raises:
            OSError: the other process is gone.
        """
        while not self._stopping.is_set():
            if self._looks != self.tracker.looks:
                self._report()
            self._check()
            if not self.tracker.wait(min(self._interval_s, CHECK_S)):
                continue
            if self.tracker.is_pressing():
                self._ended.add(self.tracker.advance())
            else:
                time.sleep(self._pace_s)
        self.tracker.look_now()
        self._ended.add(self.tracker.advance())
        self._report()

    def stop(self) -> None:
        """Ends it soon; for signal handlers too."""
        self._stopping.set()

    def _report(self) -> None:
        self._looks = self.tracker.looks
        if self._channel.is_full_wanted():
            self._deltas.want_full()
        ended = self._ended.take()
        rows = self.tracker.connections().rows
        self._channel.send(self._deltas.next(self._look(), rows, ended, self._names))
        give_back_freed_memory()

    def _look(self) -> Look:
        tracker, host = self.tracker, self._host
        tier = tracker.tier
        blind = () if tier else ("nothing captures at the moment: see the log of the agent",)
        return Look(
            host_id=host.host_id,
            host_name=host.host_name,
            boot_id=host.boot_id,
            session_ns=host.session_ns,
            time_ns=boottime_ns(),
            wall_minus_boottime_ns=wall_minus_boottime_ns(),
            interval_ns=int(self._interval_s * 1e9),
            tier=tier.tier if tier else Tier.UNKNOWN,
            limits=tier.limits if tier else blind,
            losses={**asdict(tracker.losses()), "ended": self._ended.dropped},
            groups=_certainties(tier.tier) if tier else {},
            audit=summarize_audit(tracker.audit()),
        )


def _certainties(tier: Tier) -> dict[str, str]:
    return {word(group): str(certainty) for group, certainty in CONTRACT[tier].items()}


def _own_names(pids: Iterable[int]) -> Iterable[Name]:
    for pid in pids:
        if process := read_process(pid):
            yield Name(pid, process.start_ns, OWN, "connscope")
