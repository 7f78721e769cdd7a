"""The barrier."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from connscope.kernel.fence import fence


def test_fence_returns_in_every_thread() -> None:
    """Two readers do not stop each other."""
    with ThreadPoolExecutor(4) as threads:
        for call in [threads.submit(fence) for _ in range(1000)]:
            assert call.result(timeout=10) is None
