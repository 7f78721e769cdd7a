"""Kernel file systems that nobody mounted."""

from __future__ import annotations

import pytest

from connscope.kernel.host.detached_mount import read_detached


def test_file_system_that_does_not_exist_is_an_os_error() -> None:
    """Or one that may not be opened: the errno tells which."""
    with pytest.raises(OSError, match=r"\[Errno \d+\]"):
        read_detached("no_such_file_system", "file")
