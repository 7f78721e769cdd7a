"""The windows of the audit, with a kernel that says what a test tells it to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import numpy as np
import pytest
from tests.unit.capture.fake_tier import FakeTier
from tests.unit.sample_rows import one_row
from tests.unit.tracker.audit_edges import counters

from connscope.capture.btf.tier import BtfTier
from connscope.capture.tier import Losses
from connscope.row.columns import ROW, Rows
from connscope.row.words import Kind, Role, State, Tier
from connscope.tracker import audit_intake
from connscope.tracker.audit import Audit
from connscope.tracker.audit_reading import Reading, Readings
from connscope.tracker.audit_verdict import Cause, Verdict


class Kernel:
    """Namespaces with a cookie and a number of connects; and a tier that sees them or not.

    Attributes:
        connects: by inode.
        cookies: by inode.
        refused: inodes that may not be entered.
        noise: called at each reading, e.g. to count on meanwhile.
    """

    def __init__(self) -> None:
        self.connects, self.cookies = {1: 100}, {1: 10}
        self.refused = set[int]()
        self.noise: Callable[[], None] = lambda: None
        self.lost = 0
        self.tier = FakeTier(Tier.BTF, BtfTier.kinds)
        self.tier.losses = lambda: Losses(rows=self.lost)  # type: ignore[method-assign]
        self.shown: list[Rows] = []

    def read(
        self, within: Collection[int] | None, paths: Mapping[int, Path] | None = None
    ) -> Readings:
        """The counters of those; None: of all."""
        self.noise()
        found = {
            inode: Reading(self.cookies[inode], counters(ActiveOpens=count))
            for inode, count in self.connects.items()
            if within is None or inode in within
        }
        return Readings(found, frozenset(self.refused), dict.fromkeys(found, Path()))

    def connect(
        self, inode: int = 1, times: int = 1, *, seen: bool = True, socket: int = 0
    ) -> None:
        """Counts connects; rows tell of those that are seen."""
        self.connects[inode] += times
        if seen:
            self.tell(inode, times, socket)

    def tell(self, inode: int, times: int = 1, socket: int = 0) -> None:
        """Rows of connects."""
        row = one_row(
            kind=Kind.OPENED,
            role=Role.CLIENT,
            segments_sent=1,
            netns=inode,
            socket_id=socket,
            tier=Tier.BTF,
        )
        self.tier.news = np.concatenate((self.tier.news, *[row] * times))


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """One namespace, 1, that has counted 100 connects."""
    made = Kernel()
    monkeypatch.setattr(audit_intake, "read_counters", made.read)
    return made


def begun(kernel: Kernel) -> Audit:
    """An audit of it."""
    audit = Audit(kernel.tier, kernel.shown.append)
    audit.begin()
    return audit


def one(audit: Audit, inode: int = 1, state: Cause | None = None) -> Verdict:
    """The only verdict on a namespace with that state."""
    (found,) = [
        each for each in audit.report().verdicts if (each.netns, each.state) == (inode, state)
    ]
    return found


def test_window_has_what_happened_since_it_began(kernel: Kernel):
    """Neither what was counted before nor the rows that waited then."""
    kernel.tell(1, 50)
    audit = begun(kernel)
    kernel.connect(times=3)
    audit.settle()
    assert (one(audit).saw, one(audit).counted) == (3, (3, 3))


def test_rows_that_an_edge_takes_are_shown(kernel: Kernel):
    """Nothing is swallowed."""
    audit = begun(kernel)
    kernel.connect(times=3)
    audit.settle()
    assert sum(map(len, kernel.shown)) == 3


def test_edge_is_not_made_while_the_kernel_counts_on(kernel: Kernel):
    """The window ends where it did before, and goes on once it is quiet."""
    audit = begun(kernel)
    kernel.connect(times=3)
    audit.settle()
    kernel.noise = kernel.connect
    audit.settle(tries=2)
    assert one(audit).counted == (3, 3)
    kernel.noise = lambda: None
    audit.settle()
    assert one(audit).counted == (7, 7)
    assert one(audit).saw == 7


def test_last_edge_is_a_span_where_it_was_never_quiet(kernel: Kernel):
    """All that was seen, of at least and at most so many."""
    audit = begun(kernel)
    kernel.noise = kernel.connect
    audit.settle(tries=2, is_last=True)
    found = one(audit, state=Cause.BUSY)
    assert (found.counted, found.saw, found.agrees) == ((3, 4), 3, True)
    kernel.noise = lambda: None
    audit.settle()
    assert one(audit).counted == (4, 4)


def test_connect_under_way_at_the_end_is_named(kernel: Kernel):
    """A look tells that the kernel has counted it already."""
    audit = begun(kernel)
    kernel.connect(seen=False)
    kernel.tier.rows = one_row(netns=1, state=State.SYN_SENT, socket_id=5)
    audit.settle(tries=2)
    assert [tuple(gap) for gap in one(audit).gaps] == [("ActiveOpens", Cause.UNDER_WAY, 1)]


def test_connect_under_way_at_the_begin_is_not_of_the_window(kernel: Kernel):
    """Its row comes later, and only once."""
    kernel.tier.rows = one_row(netns=1, state=State.SYN_SENT, socket_id=5)
    audit = begun(kernel)
    kernel.tell(1, socket=5)
    audit.settle()
    assert (one(audit).saw, one(audit).counted) == (0, (0, 0))
    kernel.connect(socket=5)
    audit.settle()
    assert (one(audit).saw, one(audit).counted) == (1, (1, 1))


def test_lost_rows_explain_a_gap(kernel: Kernel):
    """Those that were lost since the window began."""
    kernel.lost = 4
    audit = begun(kernel)
    kernel.lost = 9
    kernel.connect(times=3, seen=False)
    audit.settle(tries=2)
    assert [tuple(gap) for gap in one(audit).gaps] == [("ActiveOpens", Cause.RING_LOSS, 3)]


def test_change_of_tier_explains_a_gap(kernel: Kernel):
    """Rows of two ways of capture are in the window."""
    audit = begun(kernel)
    kernel.connect()
    kernel.tier.news["tier"] = Tier.BTF
    audit.read()
    kernel.connect(times=3, seen=False)
    kernel.tier.news = one_row(kind=Kind.CLOSED, netns=1, tier=Tier.NETLINK)
    audit.settle(tries=2)
    assert [tuple(gap) for gap in one(audit).gaps] == [("ActiveOpens", Cause.TIER_CHANGE, 3)]


def test_deleted_namespace_keeps_its_last_window(kernel: Kernel):
    """What rows told after it is named and not compared."""
    audit = begun(kernel)
    kernel.connect(times=3)
    audit.settle()
    kernel.tell(1, 2)
    del kernel.connects[1]
    audit.settle()
    found = one(audit, state=Cause.DELETED)
    assert (found.saw, found.counted, found.uncompared) == (3, (3, 3), 2)


def test_inode_that_is_used_again_is_another_namespace(kernel: Kernel):
    """The cookie tells; the new one is not charged with the counters of the old."""
    audit = begun(kernel)
    kernel.connect(times=3)
    audit.settle()
    kernel.connects, kernel.cookies = {1: 7}, {1: 11}
    audit.settle()
    kernel.connect(times=2)
    audit.settle()
    assert one(audit, state=Cause.DELETED).counted == (3, 3)
    assert one(audit, state=Cause.APPEARED).counted == (2, 2)
    assert one(audit, state=Cause.APPEARED).saw == 2


def test_new_namespace_is_compared_from_its_first_connection_on(kernel: Kernel):
    """If rows tell of all that it has ever counted, it began with zero."""
    audit = begun(kernel)
    kernel.connects[2], kernel.cookies[2] = 0, 20
    kernel.connect(2, times=5)
    audit.settle(tries=2)
    audit.settle(tries=2)
    assert (one(audit, 2).saw, one(audit, 2).counted) == (5, (5, 5))


def test_namespace_that_was_hidden_has_a_span(kernel: Kernel):
    """What it had counted before it was found may have been before the audit too."""
    audit = begun(kernel)
    kernel.connects[2], kernel.cookies[2] = 40, 20
    kernel.connect(2, times=5)
    audit.settle(tries=2)
    found = one(audit, 2, Cause.APPEARED)
    assert (found.saw, found.counted, found.agrees) == (5, (0, 45), True)


@pytest.mark.parametrize("refused", [True, False])
def test_namespace_that_was_never_read_is_named(kernel: Kernel, refused: bool):
    """With how many connections rows told of, and why."""
    audit = begun(kernel)
    if refused:
        kernel.refused.add(3)
    kernel.tell(3, 4)
    audit.settle()
    found = one(audit, 3, Cause.NOT_ENTERED if refused else Cause.DELETED)
    assert (found.uncompared, found.comparisons) == (4, ())


def test_tier_that_is_told_of_no_connects_is_not_audited(kernel: Kernel):
    """It says which counters can not be compared, and passes its rows on."""
    kernel.tier.kinds, kernel.tier.tier = frozenset((Kind.CLOSED,)), Tier.PROCFS
    audit = begun(kernel)
    kernel.tell(1)
    audit.read()
    audit.settle()
    report = audit.report()
    assert report.verdicts == ()
    assert report.reason == (
        "procfs is told of no connects: ActiveOpens, PassiveOpens, EstabResets, AttemptFails, "
        "RetransSegs can not be compared"
    )
    assert sum(map(len, kernel.shown)) == 1


def test_rows_are_shown_to_one_at_a_time(kernel: Kernel):
    """Whoever has stopped in the middle gets none, and they are counted all the same."""
    audit, later = begun(kernel), list[Rows]()
    kernel.connect(times=3)
    audit.show_to(later.append)
    audit.settle()
    assert (one(audit).saw, sum(map(len, kernel.shown)), sum(map(len, later))) == (3, 0, 3)


def test_news_are_rows_since_the_last_edge(kernel: Kernel):
    """Without any the kernel has counted nothing either."""
    audit = begun(kernel)
    audit.settle()
    kernel.connect()
    before, _, after = audit.has_news, audit.read(), audit.has_news
    assert (before, after) == (False, True)
    assert audit.due_in_s() > 0


def test_empty_batch_is_nothing(kernel: Kernel):
    """Not even news."""
    audit = begun(kernel)
    audit.settle()
    kernel.tier.news = np.empty(0, ROW)
    assert audit.read() == 0
    assert not audit.has_news
