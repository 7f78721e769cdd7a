"""What is said of the way a command captures."""

from __future__ import annotations

from connscope.cli.announcement import announce_capture, announce_fall
from connscope.errors import NotPermittedError
from connscope.row.words import Tier
from tests.unit.capture.fake_tier import FakeTier

REFUSED = {Tier.BTF: NotPermittedError("btf", "CAP_BPF is missing", ("CAP_BPF", "CAP_PERFMON"))}


def test_the_best_way_is_one_line() -> None:
    """Nothing is missing."""
    assert announce_capture(FakeTier(Tier.BTF), {}) == "capturing: btf, all groups exact"
    assert announce_fall(FakeTier(Tier.BTF), {}) == ""


def test_limits_stand_below_and_take_the_claim_back() -> None:
    """Who misses something does not say that all is exact."""
    tier = FakeTier(Tier.BTF)
    tier.limits = ("owners are estimates",)
    assert announce_capture(tier, {}) == "capturing: btf\nowners are estimates"


def test_fall_names_the_reason_first() -> None:
    """Then what is left, and how well that knows it."""
    assert announce_capture(FakeTier(Tier.NETLINK), REFUSED).splitlines() == [
        "WARN falling back to netlink: needs CAP_BPF, CAP_PERFMON",
        "capturing: netlink, identity estimated, owner estimated, traffic estimated, "
        "quality estimated, life estimated, join unknown",
    ]
    assert announce_fall(FakeTier(Tier.NETLINK), REFUSED).startswith("WARN falling back to netlink")
