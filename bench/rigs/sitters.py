"""A crowd of processes that sit in accept()."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from bench.rigs.network import PrivateNetwork
from connscope.capture.kprobe.watchers import threads_in_accept

__all__ = ("sitting",)


@contextmanager
def sitting(count: int) -> Iterator[None]:
    """They sit while the block runs, in a network namespace of their own.

    Raises:
        RuntimeError: there is no room for so many.
    """
    with (
        PrivateNetwork() as network,
        network.start("sitters", count, stdin=subprocess.PIPE) as sitters,
    ):
        if not sitters.stdout or not sitters.stdout.readline():
            raise RuntimeError(f"there is no room for {count} processes")
        while len(threads_in_accept()) < count:
            pass
        yield
        sitters.communicate()
