"""What the tests are told of where they run, by the environment; nobody else need set it.

TEST_SCALE=8       an emulated machine: sizes are divided by that, patience is multiplied by 3
TEST_FAMILIES=4    a kernel without IPv6: what would be done with both families is done with IPv4
TEST_FEXIT=1       fexit may be loaded: that it is not is a failure
"""

from __future__ import annotations

import os

__all__ = ("FAMILIES", "FEXIT_EXPECTED", "PATIENCE", "SCALE", "scaled")

SCALE = int(os.environ.get("TEST_SCALE", "1"))
PATIENCE = 1 if SCALE == 1 else 3
FAMILIES = (0,) if os.environ.get("TEST_FAMILIES") == "4" else (0, 1)
"""Values of the option ``v6``."""

FEXIT_EXPECTED = os.environ.get("TEST_FEXIT") == "1"


def scaled(size: int) -> int:
    """So much of it as this machine can do."""
    return max(size // SCALE, 1)
