"""Draining the ring into columns against libbpf's callback for each event, on the same ring.

One writer on each CPU fills the ring with rows of the real width while the reader drains; the two
readers take turns, so they see the same wraps. Counted is the CPU time of the reader's thread, not
the time that it waits or that the writers take away from it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from bench.result import Result, spread
from bench.rigs.libbpf_ring import LibbpfRing, run_program
from connscope.kernel import BpfObject, RingBuffer
from connscope.row.columns import ROW

__all__ = ("measure",)

OBJECT = Path(__file__).resolve().parents[1] / "objects" / "ring_writer.bpf.o"
ROWS_PER_RUN = 256
RING_ROWS = (8 << 20) // (ROW.itemsize + 8)
FILL = 0.9  # of the ring: what a round may write, so that nothing is lost
ROUNDS = 15
ROUND_TIMEOUT_S = 20.0
GO, READ_LIMIT = b".", 8192


def measure() -> tuple[Result, ...]:
    """Nanoseconds of CPU for each event, both ways."""
    cpus = sorted(os.sched_getaffinity(0))
    runs = int(RING_ROWS * FILL / len(cpus) / ROWS_PER_RUN)
    rows = runs * ROWS_PER_RUN * len(cpus)
    columns_ns, callback_ns = [], []
    with ExitStack() as stack:
        writer = stack.enter_context(BpfObject(OBJECT))
        writer.set(rows_per_run=ROWS_PER_RUN)
        writer.load()
        columns = RingBuffer(writer.maps["rows"], ROW)
        stack.callback(columns.close)
        callbacks = stack.enter_context(LibbpfRing(writer.maps["rows"].fd))
        program = writer.programs["write_rows"].fd
        starts = [stack.enter_context(_writing(cpu, program, runs)) for cpu in cpus]
        for _ in range(ROUNDS):
            callback_ns.append(_drain(starts, rows, lambda: _consume(callbacks)))
            columns_ns.append(_drain(starts, rows, lambda: _read(columns)))
    ratios = [slow / fast for slow, fast in zip(callback_ns, columns_ns, strict=True)]
    middle, ns = float(np.median(ratios)), float(np.median(columns_ns))
    return (
        Result(
            f"ring drained into columns, {ROW.itemsize}-byte rows, {len(cpus)} CPUs writing, "
            "against libbpf's callback and struct.unpack",
            f"{spread(ratios, 1)} times; {spread(columns_ns, 0)} ns against "
            f"{spread(callback_ns, 0)} ns an event",
            ">= 10 times, < 300 ns an event",
            middle >= 10 and ns < 300,
        ),
    )


@contextmanager
def _writing(cpu: int, program: int, runs: int) -> Iterator[int]:
    """A process on one CPU that writes a round each time its pipe, which is yielded, says go."""
    receive, send = os.pipe()
    child = os.fork()
    if not child:
        os.close(send)
        os.sched_setaffinity(0, {cpu})
        while os.read(receive, 1):
            for _ in range(runs):
                run_program(program)
        os._exit(0)
    os.close(receive)
    try:
        yield send
    finally:
        os.close(send)
        os.waitpid(child, 0)


def _drain(starts: list[int], rows: int, take: Callable[[], int]) -> float:
    """Lets all writers write a round and takes it; nanoseconds of our CPU for each row."""
    end = time.monotonic() + ROUND_TIMEOUT_S
    for start in starts:
        os.write(start, GO)
    taken = spent_ns = 0
    while taken < rows:
        if time.monotonic() > end:
            raise TimeoutError(f"took {taken} of {rows} rows: some were lost")
        before_ns = time.thread_time_ns()
        found = take()
        spent_ns += (time.thread_time_ns() - before_ns) if found else 0
        taken += found
        time.sleep(0 if found else 0.001)
    return spent_ns / rows


def _read(ring: RingBuffer) -> int:
    return len(ring.read(READ_LIMIT))


def _consume(ring: LibbpfRing) -> int:
    ring.events.clear()
    return ring.consume()
