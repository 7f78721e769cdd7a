"""Which capabilities a process holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.kernel.host.capabilities import (
    BITS,
    held_capabilities,
    missing_capabilities,
    parse_capabilities,
)


@pytest.mark.parametrize(
    ("mask", "held"),
    [
        ("0000000000000000", set()),
        ("0000000000001000", {"CAP_NET_ADMIN"}),
        ("000000c000000000", {"CAP_PERFMON", "CAP_BPF"}),
        ("0000000000200000", {"CAP_SYS_ADMIN", "CAP_BPF", "CAP_PERFMON"}),
        ("000001ffffffffff", set(BITS)),
    ],
)
def test_effective_mask_is_read(tmp_path: Path, mask: str, held: set[str]) -> None:
    """Only the effective set counts; CAP_SYS_ADMIN includes what it was split into."""
    status = tmp_path / "status"
    status.write_text(f"Name:\tx\nCapPrm:\t000001ffffffffff\nCapEff:\t{mask}\n")
    assert held_capabilities(status) == held


def test_missing_ones_keep_the_order_they_were_asked_in() -> None:
    """A capability that does not exist is missing everywhere."""
    assert missing_capabilities(("CAP_Z", "CAP_A")) == ("CAP_Z", "CAP_A")


@given(st.text())
def test_any_text_gives_a_set(text: str) -> None:
    """What does not say is nothing."""
    assert parse_capabilities(f"CapEff:\t{text}") <= set(BITS)
