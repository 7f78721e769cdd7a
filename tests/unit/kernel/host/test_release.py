"""Which kernel this is."""

from __future__ import annotations

import os
from pathlib import Path

from connscope.kernel.host.release import read_release


def test_release_is_what_uname_says(tmp_path: Path) -> None:
    """And its types are there if their file is."""
    found = read_release(tmp_path / "none")
    assert (found.name, found.machine, found.has_btf) == (
        os.uname().release, os.uname().machine, False,
    )  # fmt: skip
    assert read_release(tmp_path).has_btf
