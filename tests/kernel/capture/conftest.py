"""Fixtures that several files share."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any, cast

import pytest

from connscope.capture.btf.tier import BtfTier
from connscope.capture.btf.udp import WAYS
from connscope.capture.kprobe.tier import KprobeTier
from connscope.capture.ladder import Ladder
from connscope.config import Config, load_config
from connscope.row.words import Tier, word
from tests.kernel.capture.udp_ways import WAYS_HERE, Counting
from tests.kernel.recorder import Recorder
from tests.kernel.tiers_here import HAS_KPROBES, TELLS_CLOSES, TIERS_HERE
from tests.traffic.build import built


def contract_config(tier: Tier) -> Config:
    """That tier, looking often if it has to look; the accepting task is named."""
    return load_config(
        tier=word(tier), look_interval_s=0.1, owner_check_interval_s=0, accept_owner="exact"
    )


@pytest.fixture(scope="module", params=TIERS_HERE, ids=word)
def each_tier(request: pytest.FixtureRequest) -> Iterator[Recorder]:
    """Each tier, one for all tests of a file."""
    with Ladder(contract_config(request.param)) as opened:
        yield Recorder(cast("Any", opened))  # it is a tier like any other


@pytest.fixture(scope="module", params=TELLS_CLOSES, ids=word)
def telling_tier(request: pytest.FixtureRequest) -> Iterator[Recorder]:
    """Each tier that tells closes without having looked before."""
    with Ladder(contract_config(request.param)) as opened:
        yield Recorder(cast("Any", opened))


@pytest.fixture(
    params=[*WAYS_HERE, *[Tier.KPROBE] * HAS_KPROBES],
    ids=lambda each: each if isinstance(each, str) else word(each),
)
def counting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Counting:
    """Each tier that counts UDP flows; btf in each of its ways."""
    if request.param is Tier.KPROBE:
        return cast("Counting", KprobeTier)
    ways = tuple(each for each in WAYS if each[0] == request.param)
    monkeypatch.setattr("connscope.capture.btf.udp.WAYS", ways)
    return BtfTier


@pytest.fixture
def udp(counting: Counting) -> Iterator[Recorder]:
    """A tier that counts UDP flows, open."""
    with counting(Config(udp=True)) as tier:
        assert tier.udp_way, tier.parts["udp"]
        yield Recorder(tier)


@pytest.fixture(scope="module")
def io_uring() -> None:
    """io_uring may be used here; found out by trying."""
    tried = subprocess.run([built("uring"), "probe"], check=False, capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"io_uring can not be had here: {tried.stderr.strip()}")
