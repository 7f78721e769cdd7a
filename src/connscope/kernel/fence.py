"""A full memory barrier, for pages that the kernel writes while we read them."""

from __future__ import annotations

import threading

__all__ = ("fence",)

_lock = threading.Lock()


def fence() -> None:
    """Orders every load and store before it with every one after it, on every architecture.

    A release followed by an acquire is what Python offers for it: nothing before passes the first
    release, nothing after passes the second acquire, and those two keep their order.
    """
    with _lock:
        pass
    with _lock:
        pass
