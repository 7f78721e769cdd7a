"""Which connections exist now, and what began and ended since somebody last asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from connscope.capture.ladder import open_tested, wanted_tiers
from connscope.capture.tier import BATCH_ROWS, CaptureTier, Losses
from connscope.config import Config
from connscope.errors import FailedError, KernelError
from connscope.kernel.host.clock import boottime_ns
from connscope.kernel.host.heap import give_back_freed_memory
from connscope.kernel.resource import Resource
from connscope.row.columns import ROW, Rows
from connscope.row.words import Kind, Tier, word
from connscope.table.connections import ConnectionTable
from connscope.table.pairs import find_other_ends
from connscope.table.readers import Readers, Taken
from connscope.tracker.audit import Audit, Report
from connscope.tracker.kill_switch import KillSwitch
from connscope.tracker.lateness import Lateness
from connscope.tracker.roles import RoleFinder, read_port_ranges
from connscope.tracker.succession import Succession, TierChange, TierOpener
from connscope.tracker.suspicion import Suspicion

__all__ = ("Connections", "Tracker")

RESYNC_S = 0.25
"""After a loss the next look comes no sooner: a look in each round would make the loss worse."""

PATIENCE = 2
"""So many looks in a row have to miss a connection whose end an event would have told."""

BATCHES_MAX = 64
"""One round takes no more, or it would not come to an end on a machine that is flooded."""

AUDIT_S = 10.0
"""To find the namespaces and to read their counters takes some milliseconds each time."""

STOP_CHECK_S = 0.2


class Connections(NamedTuple):
    """What is open, connections and listeners.

    Attributes:
        rows: of kind ``snapshot``, shape (n,).
        role_evidence: how the role of each was found, as `RoleEvidence`.
    """

    rows: Rows
    role_evidence: npt.NDArray[np.uint8]

    @property
    def other_ends(self) -> npt.NDArray[np.int64]:
        """Where among these rows the other end of each is, or `NO_OTHER_END`; found anew."""
        return find_other_ends(self.rows)


class Tracker(Resource):
    """Keeps the table of open connections right, whatever becomes of the capture.

    One thread calls `advance` again and again; `stop` may come from any thread at any time, and
    nothing is open any more when it returns.

    Args:
        config: of the tiers, `look_interval_s`, `closed_rows`, `when_full`, `reader_expires_s`,
            `debug_dir`.
        require: no tier that is worse than this.
        open_tier: opens a tier, if not the one of this machine.
        monotonic: seconds.
        boottime: nanoseconds of the clock of the rows.
        read_ranges: the ephemeral ports by network namespace.
        audits: compares what was told with the kernel's counters all the time.

    Attributes:
        table: what is open, as it was found out last.
        looks: how many were taken.
    """

    def __init__(
        self,
        config: Config,
        require: Tier | None = None,
        *,
        open_tier: TierOpener | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        boottime: Callable[[], int] = boottime_ns,
        read_ranges: Callable[[], dict[int, tuple[int, int]]] = read_port_ranges,
        audits: bool = False,
    ) -> None:
        self._config, self._monotonic, self._boottime_ns = config, monotonic, boottime
        self._succession = Succession(
            wanted_tiers(config, require),
            open_tier or (lambda tier: open_tested(tier, config)),
            monotonic,
            boottime,
        )
        self._readers = Readers(config.closed_rows, config.when_full, config.reader_expires_s)
        self._kill_switch = KillSwitch(Path(config.debug_dir))
        self._suspicion, self._roles = Suspicion(), RoleFinder(read_ranges)
        self._audits, self._audit_due_s = audits, 0.0
        self._audit: Audit | None = None
        self._lock, self._stopping = threading.RLock(), threading.Event()
        self._look_due_s = self._looked_s = 0.0
        self._doubtful_looks = 0
        self._lateness = Lateness()
        self._death: KernelError | None = None
        self._told: list[Rows] = []
        self.table = ConnectionTable()
        self.looks = 0

    def open(self) -> Rows:
        """Opens the best tier and takes the first look; what was told meanwhile.

        After `stop` it opens nothing.

        Raises:
            KernelError: no tier can be had, or none survived its first look.
        """
        with self._lock:
            if self._stopping.is_set():
                return np.empty(0, ROW)
            self._succession.open()
            told = self._with_successors(self._look_first)
            if self._succession.current is None:
                raise self.refusals[min(self.refusals)]
        give_back_freed_memory()
        return told

    def wait(self, timeout_s: float) -> bool:
        """Waits until there are events or a look is due; False when the time is over."""
        end_s = self._monotonic() + timeout_s
        while not self._stopping.is_set():
            now_s = self._monotonic()
            if now_s >= self._look_due_s:
                return True
            left_s = min(self._look_due_s, end_s) - now_s
            if left_s <= 0:
                return False
            with self._lock:
                tier = self._succession.current
                if tier is None:
                    self._stopping.wait(min(left_s, STOP_CHECK_S))
                elif self._wait_for(tier, min(left_s, STOP_CHECK_S)):
                    return True
        return False

    def _wait_for(self, tier: CaptureTier, timeout_s: float) -> bool:
        """Whether there are events, or the tier has died of it."""
        try:
            return tier.wait(timeout_s)
        except (KernelError, OSError) as error:
            self._death = _as_kernel_error(tier, error)
            return True

    def is_pressing(self) -> bool:
        """Whether `advance` should come now: a look is due, or events may soon be lost.

        Events that wait longer cost less: what is done for a batch does not grow with it.
        """
        with self._lock:
            tier = self._succession.current
            if tier is None or self._death or self._monotonic() >= self._look_due_s:
                return True
            try:
                return tier.is_filling
            except (KernelError, OSError) as error:
                self._death = _as_kernel_error(tier, error)
                return True

    def look_now(self) -> None:
        """The next `advance` takes a look."""
        self._look_due_s = self._monotonic()

    def advance(self) -> Rows:
        """Takes in what came, and a look if it is time for one.

        Returns:
            What is to be told: each opening, failure and end of a connection once, and lost rows.
            Nothing after `stop`.
        """
        with self._lock:
            if self._stopping.is_set():
                return np.empty(0, ROW)
            if self._kill_switch.is_pulled() or self._death:
                return self._with_successors(self._die)
            if self._succession.climb():
                return self._with_successors(self._take_over)
            return self._with_successors(self._go_on)

    def _with_successors(self, step: Callable[[CaptureTier], None]) -> Rows:
        """Does the step with the tier of now; if it dies of it, the next one goes on at once.

        Returns:
            All that was told, also by the one that died.
        """
        while (tier := self._succession.current) is not None:
            try:
                step(tier)
                break
            except (KernelError, OSError) as error:
                self._succession.replace(_as_kernel_error(tier, error))
                step = self._take_over
        if tier is None:
            self._look_due_s = self._monotonic() + self._config.look_interval_s
        told: Rows = np.concatenate((np.empty(0, ROW), *self._told))
        self._told.clear()
        if len(told):
            self._roles.hear(told)
            self._roles.fill(told, self._monotonic())
            self._readers.store(told, self._monotonic())
        return told

    def _die(self, tier: CaptureTier) -> None:
        death, self._death = self._death, None
        raise death or FailedError(word(tier.tier), "the kill switch was pulled")

    def _take_over(self, tier: CaptureTier) -> None:
        words, self._succession.last_words = self._succession.last_words, np.empty(0, ROW)
        self._hear(words)  # while ids are still those of the tier before
        self.table.change_tier()
        self._suspicion = Suspicion()
        self._look_first(tier)

    def _look_first(self, tier: CaptureTier) -> None:
        if self._audits:
            self._audit = Audit(tier, self._hear)
            self._audit.begin()
            self._audit_due_s = self._monotonic() + AUDIT_S
        self._look(tier)

    def _go_on(self, tier: CaptureTier) -> None:
        if self._monotonic() < self._look_due_s:
            self._drain(tier)  # which may ask for a look
        if self._monotonic() >= self._look_due_s:
            self._look(tier)

    def _drain(self, tier: CaptureTier) -> None:
        """Takes in the events that are waiting."""
        if (early := self._succession.early) is not None:
            self._succession.early = None
            self._hear(early)
        for _ in range(BATCHES_MAX):
            if self._read(tier) < BATCH_ROWS:
                break

    def _read(self, tier: CaptureTier) -> int:
        if self._audit:
            return self._audit.read()
        events = tier.events()
        self._hear(events)
        return len(events)

    def _hear(self, events: Rows) -> None:
        if not len(events):
            return
        late = self._lateness.hear(events, self._boottime_ns())
        if late or (events["kind"] == Kind.LOST).any():
            self._doubtful_looks = PATIENCE
            self._look_due_s = min(self._look_due_s, self._looked_s + RESYNC_S)
        told = self.table.apply(events)
        self._suspicion.hear(told)
        self._told.append(told)

    def _look(self, tier: CaptureTier) -> None:
        """Compares the table with what is there; events flow meanwhile."""
        self._drain(tier)
        self._looked_s = self._monotonic()
        rest_s = RESYNC_S if self._doubtful_looks > 1 else self._config.look_interval_s
        self._doubtful_looks = max(0, self._doubtful_looks - 1)
        self._look_due_s = self._looked_s + min(rest_s, self._config.look_interval_s)
        self.table.begin_look(self._boottime_ns())
        self.table.take_look(tier.look())
        self._drain(tier)
        patience = PATIENCE if Kind.CLOSED in tier.kinds else 1
        found = self.table.settle(self._boottime_ns(), patience)
        self._told.append(found)
        self.looks += 1
        if self._audit and self._looked_s >= self._audit_due_s:
            self._audit_due_s = self._looked_s + AUDIT_S
            self._audit.settle()
        self._suspicion.judge(tier, found)

    def connections(self) -> Connections:
        """All that is open as it was found out last, with roles."""
        with self._lock:
            rows = self.table.rows()
            self._roles.see(rows)
            evidence = self._roles.fill(rows, self._monotonic())
        return Connections(rows, evidence)

    def take(self, reader: str) -> Taken:
        """The closed and failed connections that this reader has not had yet, see `Readers`."""
        with self._lock:
            return self._readers.take(reader, self._monotonic())

    @property
    def readers(self) -> Readers:
        """Who reads, and what they missed."""
        return self._readers

    @property
    def tier(self) -> CaptureTier | None:
        """The one that captures now; None: none can be had at the moment."""
        return self._succession.current

    @property
    def late(self) -> int:
        """How many events came more than a second out of order; a look is the answer to them."""
        return self._lateness.events

    @property
    def changes(self) -> tuple[TierChange, ...]:
        """Which tier followed which and why, oldest first."""
        return tuple(self._succession.changes)

    @property
    def refusals(self) -> dict[Tier, KernelError]:
        """Why each better tier does not capture."""
        return dict(self._succession.refusals)

    def audit(self) -> Report | None:
        """What the audit has found since the tier of now captures; None: there is none."""
        with self._lock:
            return self._audit.report() if self._audit and self._succession.current else None

    def losses(self) -> Losses:
        """What went missing so far, of all tiers."""
        with self._lock:
            return self._succession.losses()

    def stop(self) -> None:
        """Ends the capture; nothing of it is left. Any thread, any time, any number of times."""
        self._stopping.set()
        with self._lock:
            self._succession.close()

    def close(self) -> None:
        """The same as `stop`."""
        self.stop()


def _as_kernel_error(tier: CaptureTier, error: KernelError | OSError) -> KernelError:
    if isinstance(error, KernelError):
        return error
    return FailedError(word(tier.tier), str(error))
