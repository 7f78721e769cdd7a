"""The test object, and processes that make its program write."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from connscope.kernel import BpfObject

OBJECTS = Path(__file__).parents[1] / "objects"
PATH = OBJECTS / "library.bpf.o"
PR_SET_NAME = 15
WAIT_S = 30.0

# A child finds the same modules, wherever pytest found them.
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}

# struct library_record
RECORD = np.dtype(
    [
        ("number", np.uint64),
        ("mark", np.uint64),
        ("shift64", np.int64),
        ("shift32", np.int32),
        ("pid", np.uint32),
        ("cpu", np.uint32),
        ("shift16", np.int16),
        ("shift8", np.int8),
        ("reserved", np.uint8),
        ("filling", np.uint8, (184,)),
    ]
)
COUNTS = np.dtype([("attempted", np.uint64), ("lost", np.uint64), ("discarded", np.uint64)])

# Renames itself so often once it is told to; pinned to a CPU.
CHILD = """
import ctypes, os, sys
cpu, times = map(int, sys.argv[1:])
os.sched_setaffinity(0, [cpu])
rename = ctypes.CDLL(None).prctl
print(os.getpid(), flush=True)
sys.stdin.readline()
for _ in range(times):
    rename(15, b"writer", 0, 0, 0)
"""

_prctl = ctypes.CDLL(None).prctl


def rename(times: int = 1) -> None:
    """Makes the program run so often."""
    for _ in range(times):
        _prctl(PR_SET_NAME, b"writer", 0, 0, 0)


def opened(**knobs: int | bytes) -> BpfObject:
    """The test object, watching this process; not loaded yet."""
    library = BpfObject(PATH)
    library.set(watched_pid=os.getpid(), **knobs)
    return library


def counts(library: BpfObject) -> dict[str, int]:
    """What the program counted, of all CPUs."""
    _, values = library.maps["counts"].read(np.uint32, COUNTS)
    return {name: int(values[name].sum()) for name in COUNTS.names or ()}


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Returns once it is so.

    Raises:
        TimeoutError: it did not become so.
    """
    end = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(what)


class Writers:
    """Processes that write at the same time, on all CPUs in turn.

    Their exec is a rename too: what was attached before them has written of it already.
    """

    def __init__(self, number: int, times: int) -> None:
        cpus = sorted(os.sched_getaffinity(0))
        self._children = [
            subprocess.Popen(
                [sys.executable, "-c", CHILD, str(cpus[index % len(cpus)]), str(times)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for index in range(number)
        ]
        self.pids = [int(self._out(child).readline()) for child in self._children]

    @staticmethod
    def _out(child: subprocess.Popen[str]) -> Any:
        return child.stdout

    def start(self) -> None:
        """Lets all of them go."""
        for child in self._children:
            assert child.stdin
            child.stdin.write("go\n")
            child.stdin.flush()

    @property
    def are_running(self) -> bool:
        """Whether one is not done yet."""
        return any(child.poll() is None for child in self._children)

    def close(self) -> None:
        """Ends them."""
        for child in self._children:
            child.kill()
            child.communicate()

    def __enter__(self) -> Writers:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def missing_numbers(records: Sequence[np.ndarray], pids: list[int]) -> int:
    """How many numbers are not there, having checked that each process's are in order."""
    found = np.concatenate(records)
    missing = 0
    for pid in pids:
        numbers = found["number"][found["pid"] == pid].astype(np.int64)
        assert (np.diff(numbers) > 0).all()
        if len(numbers):
            missing += int(numbers[-1]) + 1 - len(numbers)
    return missing
