"""What tracefs says of probes, read without a kernel that has any."""

from __future__ import annotations

from connscope.kernel.kprobes import parse_profile

PROFILE = """  connected                                      1200              3
  somebody_elses                                   77              9
  accepted                                          4              0
"""


def test_only_our_probes_count():
    """The missed hits of others are not ours."""
    assert parse_profile(PROFILE, {"connected", "accepted"}) == {"connected": 3, "accepted": 0}


def test_nothing_hit_nothing_missed():
    """An empty file is no error."""
    assert parse_profile("", {"connected"}) == {}
