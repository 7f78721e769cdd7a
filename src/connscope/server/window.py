"""The live window: what all hosts have open, and what ended in the last seconds, as columns.

Each connection end has a slot for as long as it is in the window. A slot is used again only after
nothing in the window speaks of it any more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.filter.batch import Columns
from connscope.report.report import Report
from connscope.row.columns import ROW, Rows
from connscope.row.listeners import is_listener
from connscope.row.words import Group, Kind
from connscope.server.change_log import ChangeLog
from connscope.server.host import Host
from connscope.server.keys import Integers, Keys, halves, mixed
from connscope.server.recent import COUNTERS, Recent, Seconds

__all__ = ("ENDED", "FREE", "OPEN", "Window", "resized")

FREE, OPEN, ENDED = 0, 1, 2
SMALLEST = 1024
LATE_S = 2
SECOND_NS = 1_000_000_000
AT_HAND = {
    "bytes_sent": "sent",
    "bytes_received": "received",
    **{name: name for name in ("rtt_us", "known", "pid", "local_port", "peer_port")},
}
"""Columns that are kept by themselves too: a column taken out of wide rows costs what reading half
of the rows does. By the names of the row: those of the window."""

STRUCTURE = ("pid", "process_start_ns", "uid", "netns", "role", "local_port", "peer_port")
"""A connection belongs to somebody else, or is another one, if these change. With the comm, the
addresses and the sequence numbers."""


class Window:
    """The connection ends of all hosts.

    Args:
        window_s: how long what has ended is kept.

    Attributes:
        rows: an array of `ROW`, by slot; times are of the clock of the row's host.
        status: FREE, OPEN or ENDED, by slot.
        listens: if it is a listener, by slot.
        host: the number of the host, by slot.
        own: if the process is one of connscope, by slot.
        sent, received, rtt_us, known, pid, local_port, peer_port: columns of the rows again, for
            whoever needs all of them; see AT_HAND.
        structure: slots that came, went, or belong to somebody else.
        content: slots of which any column changed.
    """

    def __init__(self, window_s: int) -> None:
        self.window_s = window_s
        self.rows: Rows = np.zeros(0, ROW)
        self.status = np.zeros(0, np.uint8)
        self.listens = np.zeros(0, np.bool_)
        self.host = np.zeros(0, np.uint16)
        self.own = np.zeros(0, np.bool_)
        self.sent = np.zeros(0, np.uint64)
        self.received = np.zeros(0, np.uint64)
        self.rtt_us = np.zeros(0, np.uint32)
        self.known = np.zeros(0, np.uint16)
        self.pid = np.zeros(0, np.uint32)
        self.local_port = np.zeros(0, np.uint16)
        self.peer_port = np.zeros(0, np.uint16)
        self.structure = ChangeLog()
        self.content = ChangeLog()
        self._signature: Keys = np.zeros(0, np.uint64)
        self._free: Integers = np.zeros(0, np.intp)
        self._seconds = Seconds(window_s)

    @property
    def capacity(self) -> int:
        """How many slots there are, free ones too."""
        return len(self.status)

    @property
    def used(self) -> int:
        """How many slots are not free."""
        return self.capacity - len(self._free)

    def columns(self, part: slice) -> Columns:
        """The columns of some rows that are at hand by themselves, by the names of the row."""
        return {name: getattr(self, own)[part] for name, own in AT_HAND.items()}

    def is_connection(self) -> npt.NDArray[np.bool_]:
        """Which slots are ends of open connections."""
        connections: npt.NDArray[np.bool_] = (self.status == OPEN) & ~self.listens
        return connections

    def recent(self, now_s: float, window_s: int) -> Recent:
        """What happened in the last `window_s` seconds; counters: what they grew by."""
        return self._seconds.last(now_s, window_s)

    def apply(self, host: Host, report: Report, now_s: float) -> None:
        """What a report says; each `connection_id` stands in it once.

        Args:
            host: whose report it is.
            report: fits to what came before.
            now_s: of a clock that only goes forward.
        """
        self.expire(now_s)
        self._end(host, report.ended, report.full, now_s)
        slots = self._update(host, report.open, report.full, now_s)
        if report.full:
            kept = np.zeros(self.capacity, np.bool_)
            kept[slots] = True
            self._vanish(host, ~kept[host.slots], now_s)
        else:
            gone = host.find(report.gone)
            self._vanish(host, np.isin(host.slots, gone[gone >= 0]), now_s)

    def end(self, host: Host, rows: Rows, now_s: float, *, late: bool = False) -> None:
        """What ended, of a report that does not fit; nothing else of it is known.

        Args:
            host: whose it is.
            rows: each `connection_id` once.
            now_s: of a clock that only goes forward.
            late: what opened who knows when did not open of late.
        """
        self.expire(now_s)
        self._end(host, rows, late, now_s)

    def forget(self, host: Host, now_s: float) -> None:
        """The host is gone, or was started anew: nothing of it is open."""
        self._vanish(host, np.ones(len(host.slots), np.bool_), now_s)

    def mark_own(self, host: Host) -> None:
        """The host says of other processes than before that they are connscope's."""
        slots = np.flatnonzero((self.host == host.number) & (self.status != FREE))
        own = host.own.mask(self.rows[slots])
        other = slots[self.own[slots] != own]
        self.own[slots] = own
        self.content.add(other)

    def expire(self, now_s: float) -> None:
        """Forgets what ended before the window."""
        gone = self._seconds.expired(now_s)
        if len(gone):
            self.status[gone] = FREE
            self._free = np.concatenate([self._free, gone])
            self._note(gone)

    def _update(self, host: Host, rows: Rows, full: bool, now_s: float) -> Integers:
        slots = host.find(rows["connection_id"])
        new = np.flatnonzero(slots < 0)
        slots[new] = self._allocate(len(new))
        host.add(rows["connection_id"][new], slots[new])
        fresh = np.zeros(len(rows), np.bool_)
        fresh[new] = _opened_of_late(rows[new], host, self.window_s, full)
        self._move(rows, slots, new, fresh, now_s)
        self._write(host, rows, slots, OPEN)
        opened = slots[fresh & ~self.listens[slots]]
        self._seconds.current(now_s).opened.append(opened)
        return slots

    def _end(self, host: Host, rows: Rows, old: bool, now_s: float) -> None:
        slots = host.find(rows["connection_id"])
        host.remove(slots[slots >= 0], self.capacity)
        new = np.flatnonzero(slots < 0)
        slots[new] = self._allocate(len(new))
        fresh = np.zeros(len(rows), np.bool_)
        fresh[new] = _opened_of_late(rows[new], host, self.window_s, old)
        self._move(rows, slots, new, fresh, now_s)
        self._write(host, rows, slots, ENDED)
        failed = rows["kind"] == Kind.FAILED
        connection = ~self.listens[slots]
        second = self._seconds.current(now_s)
        second.opened.append(slots[fresh & connection & ~failed])
        second.failed.append(slots[failed])
        second.closed.append(slots[connection & ~failed])
        second.ended.append(slots)

    def _vanish(self, host: Host, gone: npt.NDArray[np.bool_], now_s: float) -> None:
        slots = host.slots[gone]
        host.remove(slots, self.capacity)
        self.status[slots] = ENDED
        self._seconds.current(now_s).ended.append(slots)
        self._note(slots)

    def _move(
        self, rows: Rows, slots: Integers, new: Integers, fresh: npt.NDArray[np.bool_], now_s: float
    ) -> None:
        """Notes what counters grew by. Of what is new to us only if it opened of late."""
        amounts = np.empty((len(rows), len(COUNTERS)))
        for place, name in enumerate(COUNTERS):
            now, before = rows[name].astype(np.float64), self.rows[name][slots].astype(np.float64)
            before[new] = np.where(fresh[new], 0, now[new])
            amounts[:, place] = np.maximum(now - before, 0)
        moved = amounts.any(axis=1)
        second = self._seconds.current(now_s)
        second.moved.append(slots[moved])
        second.amounts.append(amounts[moved])

    def _write(self, host: Host, rows: Rows, slots: Integers, status: int) -> None:
        signature = _signature(rows)
        other = (self._signature[slots] != signature) | (self.status[slots] == FREE)
        self.rows[slots] = rows
        self.status[slots] = status
        self.listens[slots] = is_listener(rows)
        self.host[slots] = host.number
        self.own[slots] = host.own.mask(rows)
        for name, own in AT_HAND.items():
            getattr(self, own)[slots] = rows[name]
        self._signature[slots] = signature
        self.structure.add(slots[other])
        self.content.add(slots)

    def _note(self, slots: Integers) -> None:
        self.structure.add(slots)
        self.content.add(slots)

    def _allocate(self, count: int) -> Integers:
        if count > len(self._free):
            self._grow(count - len(self._free))
        slots, self._free = self._free[:count], self._free[count:]
        return slots

    def _grow(self, missing: int) -> None:
        before = self.capacity
        after = max(SMALLEST, before + max(missing, before // 2))
        self.rows = resized(self.rows, after)
        self.status = resized(self.status, after)
        self.listens = resized(self.listens, after)
        self.host = resized(self.host, after)
        self.own = resized(self.own, after)
        for own in AT_HAND.values():
            setattr(self, own, resized(getattr(self, own), after))
        self._signature = resized(self._signature, after)
        self._free = np.concatenate([self._free, np.arange(before, after, dtype=np.intp)])


def resized(column: npt.NDArray[Any], size: int, filling: int = 0) -> npt.NDArray[Any]:
    """The column with more values at its end."""
    # The kernel gives the memory of zeros when it is written.
    larger = np.full(size, filling, column.dtype) if filling else np.zeros(size, column.dtype)
    larger[: len(column)] = column
    return larger


def _signature(rows: Rows) -> Keys:
    wide = (
        half for name in ("comm", "local_address", "peer_address") for half in halves(rows[name])
    )
    joins = rows["known"] & Group.JOIN.value
    return mixed(
        *(rows[name] for name in STRUCTURE),
        *wide,
        *(joins, rows["isn_local"], rows["isn_peer"]),
        *(rows["protocol"], is_listener(rows)),
    )


def _opened_of_late(rows: Rows, host: Host, window_s: int, full: bool) -> npt.NDArray[np.bool_]:
    """Which of the rows that are new to us opened within the window, as far as can be known.

    A full report has what was open long ago too; any other has what is new.
    """
    oldest = max(0, host.time_ns - (window_s + LATE_S) * SECOND_NS)
    recent: npt.NDArray[np.bool_] = rows["opened_ns"] >= np.uint64(oldest)
    unknown: npt.NDArray[np.bool_] = rows["opened_ns"] == 0
    return (recent & ~unknown) if full else (recent | unknown)
