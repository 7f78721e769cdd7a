"""What becomes of freed memory."""

from __future__ import annotations

import subprocess
import sys

COUNT_FAULTS = """
import resource, sys
import numpy as np
from connscope.kernel.host.heap import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()
for _ in range(3):
    np.ones(2 << 20, np.uint8).tobytes()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(2 << 20, np.uint8).tobytes()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    """Page faults of a process that makes and frees the same arrays over and over."""
    command = [sys.executable, "-c", COUNT_FAULTS, how]
    return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def test_memory_is_used_again() -> None:
    """A batch takes the pages of the last one; without us it gets new ones."""
    assert faults("keep") < 100 < faults("leave")
