"""What one agent knew in one look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from connscope.row.columns import ROW, Rows
from connscope.row.listeners import is_listener

__all__ = (
    "NO_IDS",
    "START_TICK_NS",
    "Audit",
    "Ids",
    "Look",
    "Name",
    "Plain",
    "Report",
    "by_cookie",
    "last_of_each",
    "make_report",
    "places_of_last",
)

Ids = npt.NDArray[np.uint64]
"""An array of connection ids, shape (n,)."""

Plain = int | float | str | bool | None

Audit = Mapping[str, Mapping[str, Plain]]
"""What was seen beside what the kernel counted, since the tier of now captures, all network
namespaces together; empty where there is no audit. What is not there is 0.

By counter, ``ActiveOpens``, ``PassiveOpens``, ``EstabResets``, ``AttemptFails``, ``RetransSegs``:

- ``saw``: int, ends of connections (of the last: segments) that rows told of.
- ``counted``: int, by the kernel: so many for certain.
- ``counted_most``: int, only if it is not known exactly: so many at most.
- ``surplus``: int, so many were certainly seen and not counted, a mistake of ours.
- ``lower_bound``: True if rows do not tell all that the counter counts: less is not missed.
- what is missing by causes, ints with the words of the audit: ``under_way``, ``ring_loss``,
  ``no_memory``, ``tier_change``, ``unexplained``.

And one more, ``window``, about all of them:

- ``seconds``: float, how long it is.
- ``namespaces``: int, how many are compared.
- ``reason``: str, a sentence if nothing can be compared at all; then there are no counters.
- ``uncompared``: int, ends of connections that rows told of and no counter was read for.
- how many namespaces are not compared in full, ints by why: ``not_entered``, ``deleted``, ``busy``,
  ``appeared``.
"""

NO_IDS: Ids = np.empty(0, np.uint64)

TAG_BITS = 16

START_TICK_NS = 10_000_000
"""The kernel tells the exact start of a process to BPF, and to readers of /proc (proc_pid_stat(5),
USER_HZ) whole ticks: compare no finer."""


class Name(NamedTuple):
    """Something that is known of a process and is in no row.

    Attributes:
        pid, process_start_ns: the process, as in its rows or rounded down to `START_TICK_NS`.
        what: what is told, one word: ``executable``, ``unit``.
        text: safe to show.
    """

    pid: int
    process_start_ns: int
    what: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Who looked, when, and how well.

    Attributes:
        host_id: of the machine, the same after a reboot.
        host_name: for people.
        boot_id: of the kernel; ids and times of two boots have nothing to do with each other.
        session_ns: when the agent started, CLOCK_BOOTTIME; sequences count from there.
        time_ns: of the look, CLOCK_BOOTTIME.
        wall_minus_boottime_ns: makes a time of day of any time of the report.
        interval_ns: until the next look.
        tier: the way of capture, see `words.Tier`.
        limits: what it can not see, a sentence each.
        losses: what went missing since it was opened.
        audit: what we saw beside what the kernel counted, see `Audit`.
        groups: how well the tier knows each group of columns: ``exact``, ``estimated`` or
            ``unknown`` by the group's word; empty if the sender does not say.
    """

    host_id: str
    host_name: str
    boot_id: str
    session_ns: int
    time_ns: int
    wall_minus_boottime_ns: int
    interval_ns: int
    tier: int
    limits: tuple[str, ...] = ()
    losses: Mapping[str, int] = field(default_factory=dict)
    audit: Audit = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Report:
    """One look, whole or as what changed since the last one; `make_report` makes one.

    Attributes:
        look: who looked and when.
        sequence: one more than that of the report before in the session, the first is 0.
        base: the sequence that this builds on; None: on nothing, this is a full report.
        open: `ROW`; the sockets that are there now, in a delta those that changed, in the order of
            `by_cookie`; their `time_ns` is that of the look.
        ended: `ROW`; what closed or failed since the last report, in the same order.
        gone: ids that are not there any more and that no row of `ended` tells of, in the same
            order.
        names: of processes, those that were not told since the last full report.
    """

    look: Look
    sequence: int
    base: int | None
    open: Rows
    ended: Rows
    gone: Ids
    names: tuple[Name, ...]

    @property
    def full(self) -> bool:
        """It needs no report before it."""
        return self.base is None

    @property
    def listeners(self) -> Rows:
        """Those of `open` that listen."""
        rows: Rows = self.open.compress(is_listener(self.open))
        return rows

    @property
    def connections(self) -> Rows:
        """Those of `open` that do not."""
        rows: Rows = self.open.compress(~is_listener(self.open))
        return rows


def make_report(
    look: Look,
    sequence: int,
    base: int | None,
    open_rows: Rows,
    ended: Rows | None = None,
    gone: Ids = NO_IDS,
    names: Iterable[Name] = (),
) -> Report:
    """A report in order: `open_rows` of one id leave the last of them, and have the look's time.

    A row of `ended` wins over one of `open_rows`, both over an id of `gone`.
    """
    ended = np.empty(0, ROW) if ended is None else ended
    open_rows = last_of_each(open_rows, but=ended["connection_id"])
    open_rows["time_ns"] = look.time_ns
    if len(gone):
        told = np.concatenate((open_rows["connection_id"], ended["connection_id"]))
        gone = np.setdiff1d(gone, told)
    return Report(
        look=look,
        sequence=sequence,
        base=base,
        open=open_rows,
        ended=ended.take(np.lexsort((ended["time_ns"], by_cookie(ended["connection_id"])))),
        gone=gone[np.argsort(by_cookie(gone))],
        names=tuple(names),
    )


def by_cookie(ids: npt.NDArray[Any]) -> Ids:
    """What ids are sorted by: the socket's cookie, then the tag of its connection.

    So neighbours began one after the other, and what is told of them differs little.
    """
    order: Ids = (ids << np.uint64(TAG_BITS)) | (ids >> np.uint64(64 - TAG_BITS))
    return order


def last_of_each(rows: Rows, but: Ids = NO_IDS) -> Rows:
    """A copy in the order of `by_cookie`, of rows with one id the last, and without some ids."""
    # take and compress move whole rows, brackets each of their columns: 30 times slower.
    kept: Rows = rows.take(places_of_last(rows["connection_id"], but)[0])
    return kept


def places_of_last(ids: Ids, but: Ids = NO_IDS) -> tuple[npt.NDArray[np.intp], Ids]:
    """Where the last of each id is, without some ids, in the order of `by_cookie`; and that key of
    each."""
    keys = by_cookie(ids)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    wanted = np.append(keys[1:] != keys[:-1], True)[: len(keys)]
    if len(but):
        wanted &= ~np.isin(keys, by_cookie(but))
    return order.compress(wanted), keys.compress(wanted)
