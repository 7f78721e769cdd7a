"""A BPF perf buffer, drained as columns: for kernels that have no ring buffer (before 5.8).

libbpf opens and maps one ring per CPU; we read the pages ourselves. Layout: perf_event_open(2). A
record that wraps is in two pieces, and records of lost events stand between the others.
"""

from __future__ import annotations

import mmap
import select
from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.kernel.libbpf import ffi, library, messages, take_pointer
from connscope.kernel.map import BpfMap

__all__ = ("PerfBuffer",)

RECORD_LOST, RECORD_SAMPLE = 2, 9  # enum perf_event_type
DATA_HEAD, DATA_TAIL = 1024 // 8, 1032 // 8  # of struct perf_event_mmap_page, in 8-byte words
SAMPLE_HEADER_BYTES = 12  # type, misc, size, and the length of the raw data


@ffi.callback("perf_buffer_sample_fn")
def _no_sample(context: Any, cpu: int, data: Any, size: int) -> None:
    """libbpf insists on a callback; we never let it read."""


class PerfBuffer:
    """The reading end of a perf event array. One reader at a time.

    Args:
        array: a loaded map of type ``BPF_MAP_TYPE_PERF_EVENT_ARRAY``.
        dtype: of the samples, all of one size.
        pages: of each CPU's ring, a power of two.

    Attributes:
        lost: samples that the kernel dropped because a ring was full, by CPU.
    """

    def __init__(self, array: BpfMap, dtype: npt.DTypeLike, pages: int = 64) -> None:
        lib, self.dtype = library(), np.dtype(dtype)
        feature = f"perf buffer {array.name}"
        with messages() as log:
            pointer = lib.perf_buffer__new(
                array.fd, pages, _no_sample, ffi.NULL, ffi.NULL, ffi.NULL
            )
            self._buffer = take_pointer(pointer, feature, "\n".join(log))
        self._rings = [self._map(cpu) for cpu in range(lib.perf_buffer__buffer_cnt(self._buffer))]
        self.lost = np.zeros(len(self._rings), np.uint64)
        self._epoll_fd = int(lib.perf_buffer__epoll_fd(self._buffer))

    def _map(self, cpu: int) -> npt.NDArray[np.uint64]:
        start, size = ffi.new("void **"), ffi.new("size_t *")
        lib = library()
        take_pointer(
            ffi.NULL if lib.perf_buffer__buffer(self._buffer, cpu, start, size) else start[0],
            f"perf ring of CPU {cpu}",
        )
        return np.frombuffer(ffi.buffer(start[0], size[0]), np.uint64)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits until there is something to read; False when the time is over."""
        readable, _, _ = select.select([self._epoll_fd], [], [], timeout_s)
        return bool(readable)

    def read(self) -> list[npt.NDArray[Any]]:
        """Takes out everything that is there.

        Returns:
            One array of samples for each CPU: in order within a CPU, not between CPUs.
        """
        return [self._read_ring(cpu, ring) for cpu, ring in enumerate(self._rings)]

    def _read_ring(self, cpu: int, ring: npt.NDArray[np.uint64]) -> npt.NDArray[Any]:
        data = ring[mmap.PAGESIZE // 8 :].view(np.uint8)
        head, tail = int(ring[DATA_HEAD]), int(ring[DATA_TAIL])
        start, size = tail % len(data), head - tail
        pieces = data[start : start + size], data[: max(0, start + size - len(data))]
        content = np.concatenate(pieces)
        ring[DATA_TAIL] = head
        return self._parse(cpu, content)

    def _parse(self, cpu: int, content: npt.NDArray[np.uint8]) -> npt.NDArray[Any]:
        """Run by run: neighbours with the same header make one strided view."""
        runs, at = [np.empty(0, self.dtype)], 0
        while at < len(content):
            header = content[at : at + 8].view(np.uint64)[0]
            kind, size = int(header & np.uint64(0xFFFFFFFF)), int(header >> np.uint64(48))
            if kind == RECORD_SAMPLE:
                same = content[at : at + (len(content) - at) // size * size].reshape(-1, size)
                differs = same[:, :8].copy().view(np.uint64)[:, 0] != header
                count = int(differs.argmax()) if differs.any() else len(same)
                body = same[:count, SAMPLE_HEADER_BYTES : SAMPLE_HEADER_BYTES + self.dtype.itemsize]
                runs.append(np.ascontiguousarray(body).view(self.dtype)[:, 0])
                at += count * size
                continue
            if kind == RECORD_LOST:
                self.lost[cpu] += content[at + 16 : at + 24].view(np.uint64)[0]
            at += size
        return np.concatenate(runs)

    def close(self) -> None:
        """Frees the rings; a second call does nothing."""
        if self._buffer:
            self._rings = []
            library().perf_buffer__free(self._buffer)
            self._buffer = None
