"""The open connections and listeners, kept right by events and looks in any interleaving."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from connscope.row.columns import Rows
from connscope.row.copying import put_rows, take_rows
from connscope.row.words import Group, Kind, Protocol, State, Tier
from connscope.table.ended import Ends
from connscope.table.id_index import ABSENT, IdIndex, are_ids
from connscope.table.inferred import NOT_YET, beginnings, endings
from connscope.table.matching import NOBODY, match_rows
from connscope.table.merge import COMPARED, merge_rows, need_merge
from connscope.table.slots import Slots

__all__ = ("ConnectionTable", "Corrections")

NEVER = -1
GENERATION_NS = 5_000_000_000
"""So late, at least, an event or a row of a look may be about a connection that has ended."""

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _is_one_of(*numbers: int) -> npt.NDArray[np.bool_]:
    """A table to look up numbers of a byte in: ten times faster than a search in a short list."""
    found = np.zeros(256, np.bool_)
    found[list(numbers)] = True
    return found


BEGINS = _is_one_of(Kind.OPENED, Kind.LISTENING)
ENDS = _is_one_of(Kind.CLOSED, Kind.FAILED, Kind.UNLISTENED, Kind.IDLE)
NOT_OPEN = _is_one_of(*NOT_YET, State.CLOSE)
LIVES = BEGINS | ENDS | _is_one_of(Kind.ACCEPTED)

Ids = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Corrections:
    """What looks said and no event had, and what came twice; counted since the start.

    Attributes:
        openings: connections and listeners that a look found first.
        closings: those that looks did not find any more.
        repeated: ends of connections that had ended already, and openings and accepts that
            came too late.
        nameless: rows with an id that is none.
    """

    openings: int = 0
    closings: int = 0
    repeated: int = 0
    nameless: int = 0


class ConnectionTable:
    """What is open now. A connection has the id under which it came here first.

    A look goes like this, with events that are drained before and after it::

        told = table.apply(tier.events())
        table.begin_look(now_ns)
        table.take_look(tier.look())
        told = table.apply(tier.events())
        told = table.settle(now_ns, patience=2)

    Attributes:
        corrections: counted.
    """

    def __init__(self) -> None:
        self._index = IdIndex()
        self._slots = Slots()
        self._unclaimed = np.empty(0, np.int64)
        self._ends = Ends()
        self._look = self._generation_ns = 0
        self._has_settled = False
        self.corrections = Corrections()

    def __len__(self) -> int:
        return len(self._slots)

    def rows(self) -> Rows:
        """All of them, as they are known now, as rows of kind ``snapshot``; shape (n,), a copy."""
        found = self._slots.rows()
        found["kind"] = Kind.SNAPSHOT
        return found

    # Events

    def apply(self, events: Rows) -> Rows:
        """Takes in events in their order.

        Returns:
            What is to be told of them, in that order and with all that is known: each opening and
            each end of a connection once, whatever else was said of it.
        """
        if not len(events):
            return events
        told, tell = events.copy(), np.ones(len(events), np.bool_)
        lives, named = LIVES[events["kind"]], are_ids(events["connection_id"])
        self._count(nameless=int((lives & ~named).sum()))
        for part in _in_rounds(events["connection_id"], np.flatnonzero(lives & named)):
            tell[part], rows = self._apply_each_once(take_rows(events, part))
            put_rows(told, part, rows)
        return take_rows(told, tell)

    def _apply_each_once(self, rows: Rows) -> tuple[Mask, Rows]:
        """Takes in rows of different connections; which are to be told, and as what."""
        ids, kinds = rows["connection_id"].copy(), rows["kind"]
        slots = self._find(ids, rows)
        held = slots != ABSENT
        if held.any():
            put_rows(rows, held, self._enriched(slots[held], take_rows(rows, held)))
            rows["connection_id"][held] = self._slots.column("connection_id")[slots[held]]
        has_ended = (kinds == Kind.ACCEPTED) & (rows["state"] == State.CLOSE)
        late = ~held & (has_ended | self._ends.is_event_late(ids, _connected_sockets(rows)))
        # A UDP flow that has failed or was idle comes back under its id.
        late &= (rows["protocol"] != Protocol.UDP) | (kinds != Kind.OPENED)
        ends, begins = ENDS[kinds], BEGINS[kinds]
        tell = ~late | (kinds == Kind.FAILED)
        tell[held & begins] = ~self._slots.told[slots[held & begins]]
        self._count(repeated=int((~tell).sum()))
        stays = held & ~ends
        self._slots.put(slots[stays], take_rows(rows, stays))
        self._slots.told[slots[held & begins]] = True
        comes = ~held & ~ends & ~late & (rows["state"] != State.CLOSE)
        self._add(ids[comes], take_rows(rows, comes), told=begins[comes], seen=NEVER)
        self._end(slots[held & ends])
        self._ends.add_told(ids[ends], _connected_sockets(rows)[ends])
        return tell, rows

    def _find(self, ids: Ids, rows: Rows) -> Numbers:
        """The slot of each row, by its id; after a change of the tier also by what it is."""
        slots = self._index.find(ids)
        if len(self._unclaimed):
            absent = np.flatnonzero(slots == ABSENT)
            absent = absent[np.unique(ids[absent], return_index=True)[1]]
            at = match_rows(take_rows(rows, absent), self._slots.take(self._unclaimed))
            absent, at = absent[at != NOBODY], at[at != NOBODY]
            claimed = self._unclaimed[at]
            self._index.add(ids[absent], claimed)
            self._slots.ids[claimed] = ids[absent]
            self._unclaimed = np.delete(self._unclaimed, at)
            slots = self._index.find(ids)
        return slots

    def _add(self, ids: Ids, rows: Rows, *, told: Mask | bool, seen: int) -> None:
        slots = self._slots.add(rows)
        self._slots.ids[slots], self._slots.told[slots] = ids, told
        self._slots.seen[slots], self._slots.added[slots] = seen, self._look
        self._index.add(ids, slots)

    def _end(self, slots: Numbers) -> None:
        ids = self._slots.ids[slots]
        self._index.remove(ids[ids != 0])
        self._slots.free(slots)
        if len(self._unclaimed):
            self._unclaimed = self._unclaimed[self._slots.used[self._unclaimed]]

    def _count(self, **more: int) -> None:
        counted = {name: getattr(self.corrections, name) + add for name, add in more.items()}
        self.corrections = replace(self.corrections, **counted)

    # Looks

    def begin_look(self, now_ns: int) -> None:
        """To be called before the look: what comes from now on need not be in it."""
        self._look += 1
        if now_ns - self._generation_ns >= GENERATION_NS:
            self._generation_ns = now_ns
            self._ends.age()

    def take_look(self, rows: Rows) -> None:
        """Takes in all that a look shows; what it does not show is left to `settle`."""
        open_ones = are_ids(rows["connection_id"])
        self._count(nameless=int(len(rows) - open_ones.sum()))
        if (not_yet := NOT_OPEN[rows["state"]]).any():
            open_ones &= ~(not_yet & (rows["protocol"] == Protocol.TCP))
        if not open_ones.all():
            rows = take_rows(rows, open_ones)
        ids = rows["connection_id"].copy()
        slots = self._find(ids, rows)
        held = slots != ABSENT
        self._take_news(slots, rows) if held.all() else self._take_news(
            slots[held], take_rows(rows, held)
        )
        self._take_new(ids[~held], take_rows(rows, ~held))

    def _take_new(self, ids: Ids, rows: Rows) -> None:
        late = self._ends.is_look_late(ids, _connected_sockets(rows))
        fresh = np.flatnonzero(~late)
        fresh = fresh[np.unique(ids[fresh], return_index=True)[1]]
        self._add(ids[fresh], take_rows(rows, fresh), told=False, seen=self._look)

    def _take_news(self, slots: Numbers, rows: Rows) -> None:
        own_ids = self._slots.column("connection_id")[slots]
        self._slots.put(slots, self._enriched(slots, rows))
        self._slots.column("connection_id")[slots] = own_ids
        self._slots.seen[slots] = self._look

    def _enriched(self, slots: Numbers, rows: Rows) -> Rows:
        """The rows, and where those of the slots know more, what both say together."""
        old = {column: self._slots.column(column)[slots] for column in COMPARED}
        merge = np.flatnonzero(need_merge(old, rows))
        if not len(merge):
            return rows
        rows = rows.copy()
        put_rows(rows, merge, merge_rows(self._slots.take(slots[merge]), take_rows(rows, merge)))
        return rows

    def settle(self, now_ns: int, patience: int) -> Rows:
        """Ends what looks do not find any more; to be called when the events that came during the
        look have been applied.

        Args:
            now_ns: of the look.
            patience: how many looks in a row may miss a connection that is open.

        Returns:
            Events that nobody told: what the look found first, and what has ended. What the first
            look of all finds was there before us, and is no news.
        """
        slots = self._slots
        missing = slots.used & (slots.seen < self._look) & (slots.added < self._look)
        slots.missed = np.where(missing, slots.missed + 1, 0).astype(np.uint8)
        gone = np.flatnonzero(slots.missed >= patience)
        news = np.flatnonzero(slots.used & ~slots.told)
        slots.told[news] = True
        if not self._has_settled:
            self._has_settled, news = True, news[:0]
        began, ended = beginnings(slots.take(news), now_ns), endings(slots.take(gone), now_ns)
        for column in ("opened_ns", "known", "exact"):
            slots.column(column)[news] = began[column]
        self._ends.add_given_up(slots.ids[gone], _connected_sockets(ended))
        self._end(gone)
        told: Rows = np.concatenate((began, ended))
        told = take_rows(told, (told["protocol"] == Protocol.TCP) | _are_flows(told))
        closings = int(ENDS[told["kind"]].sum())
        self._count(openings=len(told) - closings, closings=closings)
        return told

    # Another tier

    def change_tier(self) -> None:
        """From now on rows have ids of another tier: each finds its connection by what it is."""
        self._ends.change_tier()
        self._index = IdIndex()
        self._unclaimed = np.flatnonzero(self._slots.used)
        self._slots.ids[self._unclaimed] = 0


def _are_flows(rows: Rows) -> npt.NDArray[np.bool_]:
    """Which are what a program of ours counts; a UDP socket has no beginning and no end."""
    by_programs = (rows["tier"] == Tier.BTF) | (rows["tier"] == Tier.KPROBE)
    counted: npt.NDArray[np.bool_] = by_programs & ((rows["known"] & Group.TRAFFIC) > 0)
    return counted


def _in_rounds(ids: Ids, at: Numbers) -> Iterator[Numbers]:
    """Parts in each of which every id is there once, in the order in which they came."""
    order = at[np.argsort(ids[at], kind="stable")]
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = ids[order[1:]] != ids[order[:-1]]
    starts = np.flatnonzero(is_first)
    ranks = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    for rank in range(int(ranks.max(initial=-1)) + 1):
        yield np.sort(order[ranks == rank])


def _connected_sockets(rows: Rows) -> Ids:
    """A number for each socket with the ports that it has now: it may be connected once more."""
    ports = rows["local_port"].astype(np.uint64) << np.uint64(16) | rows["peer_port"]
    mixed = rows["socket_id"] * GOLDEN ^ ports * GOLDEN >> np.uint64(7)
    found: Ids = np.where(rows["socket_id"], mixed, np.uint64(0))
    return found
