"""What the tests of commands on the real machine ask of it."""

from __future__ import annotations

import pytest

from connscope.agent.instance import find_instance
from tests.kernel.cli.launched import RUNTIME


@pytest.fixture(scope="module")
def nobody_else() -> None:
    """There is one connscope of root's on a machine, and we may not end that of others.

    The note of one that was killed may lie there: the next one writes its own over it.
    """
    assert find_instance(RUNTIME) is None, "another one runs here: connscope stop"
