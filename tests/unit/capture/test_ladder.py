"""Which way to capture is taken."""

from __future__ import annotations

import errno

import numpy as np
import pytest

from connscope.capture import ladder
from connscope.capture.changes import LookChanges
from connscope.capture.contract import CONTRACT, Certainty
from connscope.capture.ladder import Ladder
from connscope.config import Config
from connscope.errors import FailedError, KernelError, NotSupportedError, UsageError
from connscope.row.columns import ROW, Rows, lost_row
from connscope.row.words import Group, Kind, Tier
from tests.unit.capture.fake_tier import FakeTier
from tests.unit.sample_rows import one_row

REFUSAL = FailedError("btf", "broken")


class SeeingTier(FakeTier):
    """Sees every connection that is made to the port that the test of itself listens on."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type] # as FakeTier takes them
        self.asked = 0

    def events(self) -> Rows:
        """A row of each port that there is, and one of a foreign namespace."""
        self.asked += 1
        ports = np.arange(1 << 16, dtype=np.uint16)
        rows = np.zeros(len(ports), ROW)
        rows["kind"], rows["local_port"] = Kind.OPENED, ports
        return rows


@pytest.fixture
def tiers(monkeypatch: pytest.MonkeyPatch) -> dict[Tier, FakeTier]:
    """A ladder of three that all work."""
    every = frozenset(Kind)
    made: dict[Tier, FakeTier] = {
        tier: SeeingTier(tier, every) for tier in (Tier.BTF, Tier.NETLINK, Tier.PROCFS)
    }
    monkeypatch.setattr(ladder, "LADDER", {tier: ladder.LADDER[tier] for tier in made})
    monkeypatch.setattr(ladder, "make_tier", lambda tier, config: made[tier])
    return made


def test_the_best_one_is_taken(tiers: dict[Tier, FakeTier]) -> None:
    """The others are not even opened."""
    with Ladder(Config()) as capture:
        assert (capture.tier, capture.refusals) == (Tier.BTF, {})
        assert [tier.is_open for tier in tiers.values()] == [True, False, False]
    assert not tiers[Tier.BTF].is_open


def test_the_next_one_is_taken_where_the_best_one_is_refused(tiers: dict[Tier, FakeTier]) -> None:
    """Why not the better one is kept."""
    tiers[Tier.BTF].refusal = REFUSAL
    with Ladder(Config()) as capture:
        assert (capture.tier, capture.refusals) == (Tier.NETLINK, {Tier.BTF: REFUSAL})


def test_tier_that_does_not_see_itself_is_withdrawn(
    tiers: dict[Tier, FakeTier], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It opened without a word and captures nothing: it is closed, the next one taken."""
    monkeypatch.setattr(ladder, "SELF_TEST_S", 0.05)
    tiers[Tier.BTF] = blind = FakeTier(Tier.BTF, frozenset(Kind))
    with Ladder(Config()) as capture:
        assert (capture.tier, blind.is_open) == (Tier.NETLINK, False)
        assert "did not see a connection of its own" in str(capture.refusals[Tier.BTF])


def test_tier_that_says_what_it_lost_is_not_blind(tiers: dict[Tier, FakeTier]) -> None:
    """On a flooded machine its own connection may be among that."""
    tiers[Tier.BTF] = flooded = FakeTier(Tier.BTF, frozenset(Kind))
    flooded.news = lost_row(100, 1, Tier.BTF)
    with Ladder(Config()) as capture:
        assert (capture.tier, capture.refusals) == (Tier.BTF, {})


def test_error_that_is_not_the_kernel_librarys_is_a_refusal_too(
    tiers: dict[Tier, FakeTier], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No descriptors are left, or a file is missing: the next one is taken, nothing stays open."""

    def open_nothing(self: FakeTier) -> None:
        if self.tier == Tier.BTF:
            raise OSError(errno.EMFILE, "Too many open files", "look.bpf.o")
        self.is_open = True

    monkeypatch.setattr(FakeTier, "open", open_nothing)
    with Ladder(Config()) as capture:
        refusal = capture.refusals[Tier.BTF]
        assert (capture.tier, tiers[Tier.BTF].is_open) == (Tier.NETLINK, False)
    assert isinstance(refusal, FailedError)
    assert "Too many open files: 'look.bpf.o'" in str(refusal)


def test_events_that_came_during_the_test_are_not_lost(tiers: dict[Tier, FakeTier]) -> None:
    """All but those of our own connection are there, before any other."""
    with Ladder(Config()) as capture:
        assert capture.wait(0)
        first = capture.events()
    assert len(np.unique(first["local_port"])) >= (1 << 16) - 1


def test_what_waits_is_not_much_unless_the_tier_says_so(
    tiers: dict[Tier, FakeTier], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It knows how much room is left."""
    monkeypatch.setattr(FakeTier, "is_filling", False)
    with Ladder(Config()) as capture:
        capture.events()
        tiers[capture.tier].news = lost_row(1, 0, capture.tier)
        assert capture.wait(0)
        assert not capture.is_filling


def test_one_tier_can_be_asked_for(tiers: dict[Tier, FakeTier]) -> None:
    """That one or none."""
    with Ladder(Config(tier="procfs")) as capture:
        assert capture.tier == Tier.PROCFS
    tiers[Tier.PROCFS].refusal = REFUSAL
    with pytest.raises(FailedError), Ladder(Config(tier="procfs")):
        pass


def test_if_none_works_the_best_ones_reason_is_told(tiers: dict[Tier, FakeTier]) -> None:
    """It is the one that people want."""
    for tier in tiers.values():
        tier.refusal = NotSupportedError("x", "no")
    tiers[Tier.BTF].refusal = REFUSAL
    with pytest.raises(KernelError) as caught, Ladder(Config()):
        pass
    assert caught.value is REFUSAL


def test_what_is_required_is_not_replaced(tiers: dict[Tier, FakeTier]) -> None:
    """Worse ones are not tried, and the error is of a kind of its own."""
    tiers[Tier.BTF].refusal = tiers[Tier.NETLINK].refusal = REFUSAL
    with pytest.raises(NotSupportedError, match="capturing with netlink or better: btf: broken"):
        Ladder(Config(), Tier.NETLINK).open()
    assert not tiers[Tier.PROCFS].is_open
    with pytest.raises(UsageError):
        Ladder(Config(tier="procfs"), Tier.BTF).open()


def test_tier_without_events_tells_what_changes(tiers: dict[Tier, FakeTier]) -> None:
    """Openings come from its looks."""
    quiet = FakeTier(Tier.PROCFS)
    capture = Ladder(Config(look_interval_s=0.05))
    capture._inner, capture._changes = quiet, LookChanges(quiet, 0)
    quiet.rows = one_row(kind=Kind.SNAPSHOT, protocol=6, connection_id=7, state=1)
    assert capture.wait(0)
    assert capture.events()["kind"].tolist() == [Kind.OPENED]


def test_every_tier_has_a_contract_for_every_group() -> None:
    """Exact, estimated or unknown: nothing is left open."""
    assert set(CONTRACT) == set(ladder.LADDER)
    for groups in CONTRACT.values():
        assert set(groups) == set(Group)
        assert set(groups.values()) <= set(Certainty)
