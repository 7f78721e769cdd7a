"""How often a BPF program ran and how long it took, counted by the kernel while asked to (5.8)."""

from __future__ import annotations

import os
import sys
from typing import NamedTuple, Self

from connscope.kernel.libbpf import check, ffi, library
from connscope.kernel.program import BpfProgram
from connscope.kernel.resource import Resource

__all__ = ("RunStats", "RunStatsSwitch", "read_missed_runs", "read_run_stats")

RUN_TIME = 0  # enum bpf_stats_type
# Of struct bpf_prog_info, include/uapi/linux/bpf.h: it only grows at its end.
RUN_TIME_NS_AT, RUN_COUNT_AT, MISSED_AT, INFO_BYTES = 192, 200, 208, 216


class RunStats(NamedTuple):
    """Since the program was loaded, while some switch was on."""

    run_time_ns: int
    run_count: int

    def __sub__(self, earlier: RunStats) -> RunStats:
        """What came on top since an earlier reading."""
        return RunStats(self.run_time_ns - earlier.run_time_ns, self.run_count - earlier.run_count)


class RunStatsSwitch(Resource):
    """Makes the kernel count the runs of all BPF programs until it is closed.

    It costs two readings of the clock for each run, so it is on only while somebody looks.

    Raises:
        KernelError: not supported (before 5.8) or not permitted (CAP_SYS_ADMIN).
    """

    def __init__(self) -> None:
        result = library().bpf_enable_stats(RUN_TIME)
        self._fd: int | None = check(result, "BPF run statistics", wanted=("CAP_SYS_ADMIN",))

    def close(self) -> None:
        """Stops counting, unless somebody else wants it too; a second call does nothing."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Self:
        return self


def read_run_stats(program: BpfProgram) -> RunStats:
    """The counters of a loaded program; zero if no switch was ever on."""
    info = _read_info(program)
    return RunStats(_number(info, RUN_TIME_NS_AT), _number(info, RUN_COUNT_AT))


def read_missed_runs(program: BpfProgram) -> int:
    """How often a loaded program was not run because it was running on that CPU already (5.12)."""
    return _number(_read_info(program), MISSED_AT)


def _read_info(program: BpfProgram) -> bytes:
    info, size = ffi.new("char[]", INFO_BYTES), ffi.new("unsigned int *", INFO_BYTES)
    result = library().bpf_obj_get_info_by_fd(program.fd, info, size)
    check(result, f"run statistics of {program.name}")
    return bytes(ffi.buffer(info))


def _number(info: bytes, place: int) -> int:
    return int.from_bytes(info[place : place + 8], sys.byteorder)
