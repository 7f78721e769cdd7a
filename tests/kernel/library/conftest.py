"""The test object, loaded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connscope.kernel import BpfObject
from tests.kernel.library.writer import opened


@pytest.fixture
def library() -> Iterator[BpfObject]:
    """Loaded and attached; each rename of this process writes 5 records."""
    with opened(records_per_run=5, mark=77) as loaded:
        loaded.load()
        loaded.attach()
        yield loaded


@pytest.fixture
def maps() -> Iterator[BpfObject]:
    """Loaded, for its maps; nothing runs."""
    with opened() as loaded:
        yield loaded.load()
