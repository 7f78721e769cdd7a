"""Random histories: whatever happens, what the tracker says agrees with what really was."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import hypothesis.strategies as st
import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.unit.tracker.following import make_tracker
from tests.unit.tracker.world import FakeTier, Machine, World

from connscope.row.columns import Rows
from connscope.row.words import Group, Kind, OwnerEvidence, Tier

BEGINNINGS = (Kind.OPENED, Kind.LISTENING)
ENDINGS = (Kind.CLOSED, Kind.UNLISTENED)
PORTS = st.integers(1, 4)  # few, so that the same ends come again and again
ASKED = os.environ.get("HISTORIES")
"""So many histories, new ones each time; without, the same ones each time."""

EXAMPLES = 150


class Histories(RuleBasedStateMachine):
    """The world moves, the tracker follows; the serial number of each row says what it is about."""

    @initialize(older=st.integers(0, 3))
    def start(self, older: int) -> None:
        """Some connections are older than the tracker."""
        self.world = World()
        self.machine = Machine(self.world)
        self.told: dict[Kind, Counter[int]] = {kind: Counter() for kind in Kind}
        self.ids: dict[int, int] = {}
        self.shown: set[int] = set()
        self.sent: Counter[int] = Counter()
        self.proven: set[int] = set()
        self.read: Counter[int] = Counter()
        self.disturbed = False
        self.born: set[int] = set()
        for number in range(older):
            self.world.begin(self.world.make(number + 1, netns=9))
        self.older = set(self.world.open)
        self.tracker = make_tracker(self.machine, reader_expires_s=3600 * 24)
        self.tracker.take("reader")
        self.hear(self.tracker.open())

    @property
    def tier(self) -> FakeTier:
        """The one that captures."""
        return self.machine.current

    def pick(self, number: int, *, listener: bool = False) -> int | None:
        """One of the open ones."""
        serials = [s for s, found in self.world.open.items() if found.is_listener == listener]
        return sorted(serials)[number % len(serials)] if serials else None

    def hear(self, told: Rows) -> None:
        """Notes what was told and what the reader gets."""
        for row in told[told["kind"] != Kind.LOST]:
            serial = int(row["cgroup_id"])
            self.told[Kind(int(row["kind"]))][serial] += 1
            self.see(row)
        taken = self.tracker.take("reader")
        assert taken.dropped == 0
        self.read.update(taken.rows["cgroup_id"].tolist())

    def see(self, row: Any) -> None:
        """A connection keeps its id, its counters never fall, proof of its owner stays."""
        serial = int(row["cgroup_id"])
        assert self.ids.setdefault(serial, int(row["connection_id"])) == row["connection_id"]
        assert row["bytes_sent"] >= self.sent[serial]
        self.sent[serial] = int(row["bytes_sent"])
        is_proven = bool(row["exact"] & Group.OWNER)
        assert is_proven or serial not in self.proven
        if is_proven:
            self.proven.add(serial)

    # What happens in the world

    @rule(port=PORTS, netns=st.integers(1, 2))
    def opens(self, port: int, netns: int) -> None:
        """Ends are used by one connection at a time."""
        if any((s.local_port, s.netns) == (port, netns) for s in self.world.open.values()):
            return
        self.born.add(self.world.begin(self.world.make(port, netns=netns)).serial)

    @rule(number=st.integers(0, 9))
    def closes(self, number: int) -> None:
        """One of them."""
        if (serial := self.pick(number)) is not None:
            self.world.end(serial)

    @rule(number=st.integers(0, 9))
    def closes_and_opens_with_the_same_ends(self, number: int) -> None:
        """A port is used again, by another socket."""
        if (serial := self.pick(number)) is not None:
            old = self.world.end(serial)
            again = self.world.make(old.local_port, netns=old.netns)
            self.born.add(self.world.begin(again).serial)

    @rule(port=PORTS)
    def fails_and_opens_with_the_same_socket(self, port: int) -> None:
        """Refused first; then it connects from another port."""
        failed = self.world.make(60 + port, netns=3)
        self.world.fail(failed)
        again = self.world.make(1000 + failed.serial, netns=3, cookie=failed.cookie)
        again.inode = failed.inode
        self.born.add(self.world.begin(again).serial)

    @rule(port=PORTS)
    def short_life(self, port: int) -> None:
        """Opened and closed before anybody asks."""
        made = self.world.make(20 + port, netns=4)
        self.born.add(made.serial)
        self.world.begin(made)
        self.world.end(made.serial)

    @rule(number=st.integers(0, 9), pid=st.integers(1, 3))
    def is_accepted(self, number: int, pid: int) -> None:
        """Pids are few, so that they are used again."""
        if (serial := self.pick(number)) is not None:
            self.world.accept(serial, pid)

    @rule(number=st.integers(0, 9), pid=st.integers(1, 3))
    def is_accepted_after_it_ended(self, number: int, pid: int) -> None:
        """It was reset while it waited in the queue."""
        if (serial := self.pick(number)) is not None:
            ended = self.world.end(serial)
            self.hear(self.tracker.advance())
            self.world.accept_late(ended, pid)

    @rule(number=st.integers(0, 9), size=st.integers(1, 100))
    def sends(self, number: int, size: int) -> None:
        """Counters grow."""
        if (serial := self.pick(number)) is not None:
            self.world.open[serial].sent += size

    @rule(port=PORTS)
    def listens(self, port: int) -> None:
        """SO_REUSEPORT: several listeners may have the same end."""
        made = self.world.begin(self.world.make(100 + port, listener=True))
        self.born.add(made.serial)

    @rule(number=st.integers(0, 9))
    def listens_no_more(self, number: int) -> None:
        """One of them."""
        if (serial := self.pick(number, listener=True)) is not None:
            self.world.end(serial)

    # What happens to the capture

    @rule(count=st.integers(1, 4))
    def loses(self, count: int) -> None:
        """The ring is full when the next events come."""
        self.tier.lose, self.disturbed = count, True

    @rule(times=st.integers(1, 5))
    def is_slow(self, times: int) -> None:
        """Looks find out before the events do."""
        self.tier.slow, self.disturbed = times, True

    @rule(number=st.integers(0, 9))
    def a_look_overlooks_one(self, number: int) -> None:
        """A socket moved in the hash table while it was read; the next look shows it."""
        tier = self.tier
        if Kind.CLOSED not in tier.kinds or (serial := self.pick(number)) is None:
            return
        tier.left_out.add(serial)
        for _ in range(2):
            self.world.now_ns += 1_100_000_000
            self.hear(self.tracker.advance())

    @rule(number=st.integers(0, 9))
    def a_look_shows_one_that_has_ended(self, number: int) -> None:
        """It was read before, but its end was told meanwhile."""
        tier = self.tier
        if Kind.CLOSED in tier.kinds and not tier.broken and self.world.open:
            tier.earlier = tier.look()
            self.closes(number)
            self.world.now_ns += 1_100_000_000
            self.hear(self.tracker.advance())

    @rule(number=st.integers(0, 9))
    def the_next_tier_tells_of_the_same_end(self, number: int) -> None:
        """The kernel frees a socket somewhat later than it closes it."""
        serial = self.pick(number)
        first = self.tier
        if serial is None or first.tier != Tier.BTF:
            return
        ended = self.world.end(serial)
        self.hear(self.tracker.advance())
        self.machine.missing.add(Tier.BTF)
        self.breaks()
        self.hear(self.tracker.advance())
        second = self.tier
        if second.tier == Tier.NETLINK:
            second.tell(Kind.CLOSED, ended)
            self.hear(self.tracker.advance())

    @rule()
    def breaks(self) -> None:
        """The tier dies of its next call; what is in its ring is lost with it."""
        self.tier.broken = self.disturbed = True

    @rule(tier=st.sampled_from([Tier.BTF, Tier.NETLINK]))
    def is_missing(self, tier: Tier) -> None:
        """It can not be opened any more."""
        self.machine.missing.add(tier)

    @rule()
    def is_there_again(self) -> None:
        """All can be opened."""
        self.machine.missing.clear()

    @rule(seconds=st.sampled_from([0.01, 0.3, 1, 61, 4000]))
    def time_passes(self, seconds: float) -> None:
        """Nothing else happens."""
        self.world.now_ns += int(seconds * 1e9)

    # What the tracker does

    @rule()
    def advances(self) -> None:
        """As often as it likes."""
        self.hear(self.tracker.advance())

    @rule(number=st.integers(0, 9), opens=st.booleans(), closes=st.booleans())
    def looks_while_something_happens(self, number: int, opens: bool, closes: bool) -> None:
        """The look has gone through half of the sockets when others open and close."""

        def happens() -> None:
            if closes:
                self.closes(number)
            if opens:
                self.short_life(number)
                self.closes_and_opens_with_the_same_ends(number)

        self.tier.in_look = happens
        self.world.now_ns += 2_000_000_000
        self.hear(self.tracker.advance())

    @rule()
    def comes_to_rest(self) -> None:
        """Nothing happens for some looks: then everything is right, whatever was before."""
        for _ in range(4):
            self.world.now_ns += 1_100_000_000
            self.hear(self.tracker.advance())
        rows = self.tracker.table.rows()
        assert sorted(rows["cgroup_id"].tolist()) == sorted(self.world.open)
        # An accept of what had ended already is all that is told of it, if the tier has died since.
        known = self.shown | {serial for kind in BEGINNINGS for serial in self.told[kind]}
        ended = known - set(self.world.open)
        told = {s for kind in (*ENDINGS, Kind.FAILED) for s in self.told[kind]}
        assert ended <= told
        if not self.disturbed:
            self.check_that_nothing_is_missing()

    def check_that_nothing_is_missing(self) -> None:
        """Without any loss each has its opening and, if it has ended, its end."""
        began = {serial for kind in BEGINNINGS for serial in self.told[kind]}
        ended = {serial for kind in ENDINGS for serial in self.told[kind]}
        corrections = self.tracker.table.corrections
        assert (corrections.openings, corrections.closings) == (0, 0)
        assert began == self.born
        assert ended == (self.born | self.older) - set(self.world.open)

    @invariant()
    def nothing_is_told_twice(self) -> None:
        """One opening, one end; a reader has had each closed one once."""
        for kind in (*BEGINNINGS, *ENDINGS, Kind.FAILED):
            assert not self.told[kind] or max(self.told[kind].values()) == 1, kind
        assert not set(self.told[Kind.OPENED]) & self.older
        assert self.read == self.told[Kind.CLOSED] + self.told[Kind.FAILED]

    @invariant()
    def no_connection_is_there_twice(self) -> None:
        """In the table each has one row, with the id that it has had all the time."""
        rows = self.tracker.table.rows()
        assert len(np.unique(rows["cgroup_id"])) == len(rows) == len(self.tracker.table)
        self.shown.update(rows["cgroup_id"].tolist())
        for row in rows:
            self.see(row)
            assert row["owner_evidence"] != OwnerEvidence.UNKNOWN

    def teardown(self) -> None:
        """Nothing stays open."""
        if hasattr(self, "tracker"):
            self.tracker.stop()
            assert not self.world.tells


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=int(ASKED or EXAMPLES),
    derandomize=ASKED is None,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
