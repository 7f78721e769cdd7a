"""The process with the capabilities: it tracks, and hands over a report after each look.

It reads nothing that came over the network.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from dataclasses import asdict

import numpy as np

from connscope.agent.channel import Channel
from connscope.agent.host import Host
from connscope.capture.contract import CONTRACT
from connscope.config import Config
from connscope.kernel.host.clock import boottime_ns, wall_minus_boottime_ns
from connscope.kernel.procfs.processes import read_process
from connscope.report.delta import Deltas
from connscope.report.report import Look, Name
from connscope.row.columns import ROW, Rows
from connscope.row.words import Kind, Tier, word
from connscope.tracker.tracker import Tracker

__all__ = ("Capturing",)

OWN = "own"
"""What connscope's own processes are marked with: their traffic is that of the tool."""


class Capturing:
    """Reports what the tracker knows, until somebody stops it.

    Args:
        tracker: open or not; it is used by one thread only.
        channel: to the process that sends the reports on.
        host: that we are on.
        config: `report_interval_s`.
        early: what the tracker told when it was opened.
        own_pids: of the processes of this program.
    """

    def __init__(
        self,
        tracker: Tracker,
        channel: Channel,
        host: Host,
        config: Config,
        early: Rows,
        own_pids: Iterable[int] = (),
    ) -> None:
        self._tracker, self._channel, self._host = tracker, channel, host
        self._interval_s = config.report_interval_s
        self._deltas = Deltas()
        self._ended = [_ended(early)]
        self._names = tuple(_own_names((os.getpid(), *own_pids)))
        self._stopping = threading.Event()
        self._looks = 0

    def run(self) -> None:
        """Reports after each look, and once more at the end.

        Raises:
            ConnectionError: the other process is gone.
        """
        while not self._stopping.is_set():
            if self._looks != self._tracker.looks:
                self._report()
            self._tracker.wait(self._interval_s)
            self._ended.append(_ended(self._tracker.advance()))
        self._tracker.look_now()
        self._ended.append(_ended(self._tracker.advance()))
        self._report()

    def stop(self) -> None:
        """Ends it soon; for signal handlers too."""
        self._stopping.set()

    def _report(self) -> None:
        self._looks = self._tracker.looks
        if self._channel.is_full_wanted():
            self._deltas.want_full()
        ended: Rows = np.concatenate((np.empty(0, ROW), *self._ended))
        self._ended.clear()
        rows = self._tracker.connections().rows
        self._channel.send(self._deltas.next(self._look(), rows, ended, self._names))

    def _look(self) -> Look:
        tracker, host = self._tracker, self._host
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
            losses={**asdict(tracker.losses()), **_corrections(tracker)},
            groups=_certainties(tier.tier) if tier else {},
        )


def _certainties(tier: Tier) -> dict[str, str]:
    return {word(group): str(certainty) for group, certainty in CONTRACT[tier].items()}


def _corrections(tracker: Tracker) -> dict[str, int]:
    corrections = tracker.table.corrections
    return {"openings": corrections.openings, "closings": corrections.closings}


def _ended(told: Rows) -> Rows:
    ends = (told["kind"] == Kind.CLOSED) | (told["kind"] == Kind.FAILED)
    rows: Rows = told.compress(ends)
    return rows


def _own_names(pids: Iterable[int]) -> Iterable[Name]:
    for pid in pids:
        if process := read_process(pid):
            yield Name(pid, process.start_ns, OWN, "connscope")
