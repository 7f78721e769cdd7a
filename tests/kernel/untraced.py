"""Softirqs that the kernel runs without their tracepoints: no program sees what happens in them.

The kernel of the machine that this was written on (6.18, nested PVM) calls no tracepoint while its
first process has the CPU: of 15 context switches of a thread of PID 1 `sched_switch` told none. A
softirq that interrupts that process is as invisible, and with it a change of a socket: in one of
about a thousand of the tests that make two connections. No program can help that. A test that fails
while it happened is made again; one that fails otherwise has failed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from connscope.errors import KernelError
from connscope.kernel import BpfObject, MappedArray

__all__ = ("UntracedSoftirqs",)

OBJECT = Path(__file__).parent / "objects" / "softirqs.bpf.o"
VECTORS = {"TIMER": 1, "NET_RX": 3}
"""Those that change the state of a TCP socket, by their number in linux/interrupt.h."""


class UntracedSoftirqs:
    """Whether there were any since `begin`; never where their tracepoint can not be had."""

    def __init__(self) -> None:
        self._traced: MappedArray | None = None
        self._untraced_before = 0
        counter = BpfObject(OBJECT)
        try:
            counter.load()
            counter.attach()
        except KernelError:
            counter.close()
        else:
            self._counter = counter
            self._traced = MappedArray(counter.maps["begun"], np.dtype(np.uint64))

    def begin(self) -> None:
        """Forgets those so far. What runs during this call is taken for traced."""
        traced = self._count_traced()
        self._untraced_before = count_run() - traced

    def happened(self) -> bool:
        """Whether there was one since `begin`. What runs during this call is taken for traced."""
        run = count_run()
        return self._traced is not None and run - self._count_traced() > self._untraced_before

    def _count_traced(self) -> int:
        if self._traced is None:
            return 0
        return int(self._traced.copy(16)[list(VECTORS.values())].sum())

    def close(self) -> None:
        """Counts no more."""
        if self._traced:
            self._traced.close()
            self._counter.close()
            self._traced = None


def count_run() -> int:
    """How many the kernel ran so far, on all CPUs."""
    lines = Path("/proc/softirqs").read_text(encoding="ascii").splitlines()
    counts = (line.split() for line in lines[1:])
    return sum(sum(map(int, each[1:])) for each in counts if each[0].rstrip(":") in VECTORS)
