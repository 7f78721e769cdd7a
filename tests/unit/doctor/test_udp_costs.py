"""What doctor says of the price of UDP flows."""

from __future__ import annotations

from connscope.capture.btf.udp import WAYS
from connscope.doctor.examination import UDP_COSTS


def test_each_way_to_count_has_its_price():
    """And none where nothing counts."""
    assert set(UDP_COSTS) == {way for way, _ in WAYS} | {"kprobe_udp", ""}
