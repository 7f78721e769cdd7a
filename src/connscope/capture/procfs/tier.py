"""The procfs tier: what the files of /proc say, for machines where nothing else is allowed."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np

from connscope.capture.broadcasts import Broadcasts
from connscope.capture.procfs.flows import FlowsToo
from connscope.capture.procfs.passes import NOTHING, PassResult, ProcfsPasses
from connscope.capture.tier import Losses, OpenedTier
from connscope.config import Config
from connscope.errors import FailedError, NotSupportedError
from connscope.kernel.procfs.pace import Pace
from connscope.kernel.procfs.processes import group_processes
from connscope.row.columns import ROW, Rows
from connscope.row.words import Kind, Tier

__all__ = ("ProcfsTier", "next_period_s")

FOREGROUND_TICK_S = 0.001
FEATURE = "reading /proc"
NO_EVENTS = "what opens and closes between two looks is not seen: /proc tells no events"
NO_COUNTERS = "bytes, round trip times, retransmits and when a connection opened are not in /proc"


class ProcfsTier(OpenedTier):
    """Shows what exists at the time of a look: sockets, listeners, their processes; TCP and UDP.

    With `udp` it also tells of UDP flows, in namespaces in which conntrack follows them.

    Args:
        config: the ``procfs_`` keys, `proc_root`, `owner_check_interval_s`; for flows `udp` and
            `netlink_receive_bytes`.
        proc_root: stands for that of the configuration.
        background: False: a look is a pass of its own, for somebody who waits. True: a thread makes
            passes at a low rate all the time, and a look gives what the last one found.

    Attributes:
        kinds: what `events` can tell of TCP, nothing, and ``idle`` if UDP flows are told.
        passes: how many passes were finished.
        late_passes: how many of those took longer than `procfs_warn_s`.
        last: what the last pass found, with its counters.
    """

    tier = Tier.PROCFS
    kinds: frozenset[Kind] = frozenset()

    def __init__(
        self, config: Config, proc_root: Path | None = None, *, background: bool = False
    ) -> None:
        self._config, self._background = config, background
        self._proc = proc_root or Path(config.proc_root)
        self._reader = ProcfsPasses(self._proc, config.owner_check_interval_s)
        self._broadcasts = Broadcasts(self._proc)
        self._pace: Pace | None = None
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._failure: OSError | None = None
        self._flows: FlowsToo | None = None
        self.last = NOTHING
        self.passes = self.late_passes = 0

    def open(self) -> None:
        """Starts to read if it is to be done in the background; see `CaptureTier.open`."""
        try:
            groups = group_processes(self._proc)
        except OSError as error:
            raise _refusal(error, self._proc) from error
        if not groups:
            reason = f"no process is in {self._proc}: mount proc there, or set proc_root"
            raise NotSupportedError(FEATURE, reason)
        self._closed = threading.Event()
        if self._config.udp:
            self._flows = FlowsToo(self._config.netlink_receive_bytes, self._broadcasts)
            if self._flows.is_open:
                self.kinds = frozenset((Kind.IDLE, Kind.LOST))
        tick_s = self._config.procfs_period_min_s if self._background else FOREGROUND_TICK_S
        self._pace = Pace(self._config.procfs_fds_per_tick, tick_s)
        if self._background:
            arguments = (self._pace, self._closed)
            self._thread = threading.Thread(
                target=self._read_on, args=arguments, name="procfs", daemon=True
            )
            self._thread.start()

    def _read_on(self, pace: Pace, closed: threading.Event) -> None:
        """Makes passes until the tier is closed."""
        rest_s = 0.0
        while not closed.wait(rest_s):
            try:
                found = self._reader.run(pace)
            except OSError as error:
                self._failure, rest_s = error, self._config.procfs_target_s
                continue
            if found:
                self._take(found)
                pace.tick_s = next_period_s(found.took_s, pace.tick_s, self._config)
                rest_s = max(0.0, self._config.procfs_target_s - found.took_s)

    def _take(self, found: PassResult) -> None:
        self.late_passes += found.took_s > self._config.procfs_warn_s
        self.passes += 1
        self.last, self._failure = found, None

    def look(self) -> Rows:
        """All sockets of all network namespaces that have a process, as rows of kind ``snapshot``.

        In the background it does not wait; before the first pass is over there are none.

        Raises:
            KernelError: the proc file system is gone.
        """
        found = self._current().sockets
        rows = found.copy() if self._background else found
        if self._flows:
            rows = self._flows.look(rows)
        self._broadcasts.mark(rows)
        return rows

    def minisockets(self) -> Rows:
        """What the kernel keeps of connections that are no sockets: SYN_RECV and TIME_WAIT.

        Of the pass that the last look showed, if there was one.

        Raises:
            KernelError: as `look`.
        """
        found = self.last if self.passes and self._is_open else self._current()
        return found.minisockets.copy()

    def _current(self) -> PassResult:
        """A new pass, or in the background the last one."""
        pace = self._pace
        if pace is None:
            raise RuntimeError("the tier is not open")
        try:
            found = None if self._background else self._reader.run(pace)
        except OSError as error:
            raise _refusal(error, self._proc) from error
        if self._background:
            if self._failure:
                raise _refusal(self._failure, self._proc) from self._failure
            return self.last
        if found is None:
            raise RuntimeError("the tier was closed")
        self._take(found)
        return found

    @property
    def limits(self) -> tuple[str, ...]:
        """What is missing here, a sentence each; of the last pass if it may be otherwise."""
        last, flows = self.last, self._flows
        of_tcp = "of TCP, " if flows and flows.is_open else ""
        found = [of_tcp + NO_EVENTS, of_tcp + NO_COUNTERS, *(flows.limits if flows else ())]
        if last.refused:
            found.append(
                f"{last.refused} processes do not let us read their descriptors, so their sockets "
                "have no owner: CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH are missing"
            )
        if last.hidden:
            found.append(
                "processes of others are hidden (hidepid), so their sockets have no owner: "
                "CAP_SYS_PTRACE is missing"
            )
        if last.unnamed:
            found.append(
                f"{last.unnamed} network namespaces have no number, because none of their "
                "processes may be asked for it: CAP_SYS_PTRACE is missing"
            )
        if last.malformed:
            found.append(f"{last.malformed} lines of the files made no sense and were left out")
        if last.took_s > self._config.procfs_warn_s:
            found.append(
                f"the last pass took {last.took_s:.0f} s, so what it shows is old: raise "
                "procfs_fds_per_tick or lower procfs_period_min_s"
            )
        return tuple(found)

    def wait(self, timeout_s: float | None) -> bool:
        """Waits for UDP flows; False when the time is over or the tier closed."""
        if self._flows and self._flows.is_open:
            return self._flows.wait(timeout_s)
        self._closed.wait(timeout_s)
        return False

    def events(self) -> Rows:
        """UDP flows, if they are told: /proc tells no events."""
        return self._flows.events() if self._flows else np.empty(0, ROW)

    def losses(self) -> Losses:
        """Of UDP flows: what else is missing here was never told; see `limits`."""
        return Losses(rows=self._flows.lost if self._flows else 0)

    def close(self) -> None:
        """Stops the pass that is under way; a second call does nothing."""
        self._closed.set()
        if self._flows:
            self._flows.close()
        if pace := self._pace:
            pace.stop()
        thread = self._thread
        if thread and thread is not threading.current_thread():
            thread.join()
        self._pace = self._thread = None

    @property
    def _is_open(self) -> bool:
        return self._pace is not None


def next_period_s(took_s: float, period_s: float, config: Config) -> float:
    """The tick with which the next pass takes as long as it should, within its bounds."""
    wanted_s = config.procfs_target_s / max(took_s, 1e-6) * period_s
    return min(max(wanted_s, config.procfs_period_min_s), config.procfs_period_max_s)


def _refusal(error: OSError, proc: Path) -> FailedError | NotSupportedError:
    reason = f"can not read {proc}: {error.strerror}; mount proc there, or set proc_root"
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return NotSupportedError(FEATURE, reason)
    return FailedError(FEATURE, reason, error.errno or 0)
