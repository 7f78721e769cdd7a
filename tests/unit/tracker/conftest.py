"""What all tests of the tracker share."""

from __future__ import annotations

import pytest
from tests.unit.tracker.three_tiers import THREE_TIERS

from connscope.capture import ladder


@pytest.fixture(autouse=True)
def _three_tiers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ladder of three: their order is what is tested, not what each of them is."""
    monkeypatch.setattr(ladder, "LADDER", THREE_TIERS)
