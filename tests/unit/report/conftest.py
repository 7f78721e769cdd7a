"""What the tests of reports share."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.fixture
def run_python():
    """Runs a line in a fresh interpreter and gives what it prints."""

    def run(line: str) -> str:
        finished = subprocess.run([sys.executable, "-c", line], stdout=subprocess.PIPE, check=True)
        return finished.stdout.decode().strip()

    return run
