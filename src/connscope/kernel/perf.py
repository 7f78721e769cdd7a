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

from connscope.errors import UsageError
from connscope.kernel.fence import fence
from connscope.kernel.libbpf import ffi, library, messages, take_pointer
from connscope.kernel.map import BpfMap
from connscope.kernel.resource import Resource

__all__ = ("PerfBuffer", "parse_samples")

PERF_EVENT_ARRAY = 4  # enum bpf_map_type
RECORD_LOST, RECORD_SAMPLE = 2, 9  # enum perf_event_type
DATA_HEAD, DATA_TAIL = 1024 // 8, 1032 // 8  # of struct perf_event_mmap_page, in 8-byte words
HEADER_BYTES, LENGTH_BYTES = 8, 4  # type, misc and size; then the length of a sample's data
LOST_AT, LOST_BYTES = 16, 24  # the count in a record of lost events, and such a record's size
KIND_AND_SIZE = np.uint64(0xFFFF0000FFFFFFFF)  # of a header; what is between differs by context
LONGEST_RUN = 4096


def _ignore(context: Any, cpu: int, data: Any, size: int) -> None:
    """libbpf insists on a callback; we never let it read."""


_no_sample = ffi.callback("perf_buffer_sample_fn", _ignore)


class PerfBuffer(Resource):
    """The reading end of a perf event array. One reader at a time.

    Args:
        array: a loaded map of type ``BPF_MAP_TYPE_PERF_EVENT_ARRAY``.
        dtype: of the samples, all of one size.
        pages: of each CPU's ring, a power of two.

    Attributes:
        lost: samples that the kernel dropped because a ring was full, by ring (one for each online
            CPU). The kernel tells with the next sample that finds room again.

    Raises:
        UsageError: not a perf event array, or a number of pages that is no power of two.
        KernelError: not supported, not permitted or failed.
    """

    def __init__(self, array: BpfMap, dtype: npt.DTypeLike, pages: int = 64) -> None:
        if array.type != PERF_EVENT_ARRAY:
            raise UsageError(f"map {array.name} is no perf event array")
        if pages < 1 or pages & (pages - 1):
            raise UsageError(f"{pages} pages for perf buffer {array.name}: no power of two")
        lib, self.dtype = library(), np.dtype(dtype)
        self.name, self._bytes = array.name, pages * mmap.PAGESIZE
        with messages() as log:
            pointer = lib.perf_buffer__new(
                array.fd, pages, _no_sample, ffi.NULL, ffi.NULL, ffi.NULL
            )
            self._buffer = take_pointer(pointer, f"perf buffer {array.name}", "\n".join(log))
        self._rings = [self._map(cpu) for cpu in range(lib.perf_buffer__buffer_cnt(self._buffer))]
        self.lost = np.zeros(len(self._rings), np.uint64)
        self._poll = select.poll()
        self._poll.register(lib.perf_buffer__epoll_fd(self._buffer), select.POLLIN)

    def _map(self, cpu: int) -> npt.NDArray[np.uint64]:
        """A CPU's ring: the page of positions, then the data; libbpf's size is of the data only."""
        start, size = ffi.new("void **"), ffi.new("size_t *")
        lib = library()
        take_pointer(
            ffi.NULL if lib.perf_buffer__buffer(self._buffer, cpu, start, size) else start[0],
            f"perf ring of CPU {cpu}",
        )
        return np.frombuffer(ffi.buffer(start[0], mmap.PAGESIZE + self._bytes), np.uint64)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits until there is something to read; False when the time is over."""
        # The kernel reports a wake-up once, also to somebody who then does not read.
        if len(self):
            return True
        return bool(self._poll.poll(None if timeout_s is None else timeout_s * 1000))

    def __len__(self) -> int:
        """How many bytes are waiting, the headers of records included."""
        return sum(self._waiting())

    @property
    def fullness(self) -> float:
        """How much of a CPU's ring is taken, of the one that has the least room left; 0 to 1."""
        return max(self._waiting(), default=0) / self._bytes

    def _waiting(self) -> list[int]:
        """Bytes, by ring."""
        self._check_open()
        return [int(ring[DATA_HEAD]) - int(ring[DATA_TAIL]) for ring in self._rings]

    def read(self) -> list[npt.NDArray[Any]]:
        """Takes out everything that is there.

        Returns:
            One array of samples for each ring: in order within a ring, not between rings.

        Raises:
            UsageError: the samples have another size than the dtype; that ring keeps them.
        """
        self._check_open()
        return [self._read_ring(cpu, ring) for cpu, ring in enumerate(self._rings)]

    def _read_ring(self, cpu: int, ring: npt.NDArray[np.uint64]) -> npt.NDArray[Any]:
        data = ring[mmap.PAGESIZE // 8 :].view(np.uint8)
        head, tail = int(ring[DATA_HEAD]), int(ring[DATA_TAIL])
        fence()
        start, size = tail % len(data), head - tail
        pieces = data[start : start + size], data[: max(0, start + size - len(data))]
        samples, lost = parse_samples(np.concatenate(pieces), self.dtype)
        fence()
        ring[DATA_TAIL] = head
        fence()
        self.lost[cpu] += np.uint64(lost)
        return samples

    def _check_open(self) -> None:
        if self._buffer is None:
            raise UsageError(f"perf buffer {self.name} is closed")

    def close(self) -> None:
        """Frees the rings; a second call does nothing."""
        if self._buffer is not None:
            self._rings = []
            library().perf_buffer__free(self._buffer)
            self._buffer = None


def parse_samples(
    content: npt.NDArray[np.uint8], dtype: np.dtype[Any]
) -> tuple[npt.NDArray[Any], int]:
    """The samples among a perf ring's records, and how many it says were lost.

    Run by run: neighbours with the same header make one strided view.

    Raises:
        UsageError: a sample of another size than the dtype, or bytes that are no records.
    """
    wanted = _sample_bytes(dtype.itemsize)
    body_at = HEADER_BYTES + LENGTH_BYTES
    runs, lost, at = [np.empty((0, dtype.itemsize), np.uint8)], 0, 0
    while at < len(content):
        header = _header(content, at)
        kind, size = int(header) & 0xFFFFFFFF, int(header) >> 48
        if kind == RECORD_SAMPLE:
            if size != wanted:
                raise UsageError(
                    f"the perf buffer holds samples of {size - body_at} bytes with the kernel's "
                    f"padding, the dtype of {dtype.itemsize} makes {wanted - body_at}"
                )
            same = _same(content, at, size, header)
            runs.append(same[:, body_at : body_at + dtype.itemsize])
            size *= len(same)
        elif kind == RECORD_LOST and size >= LOST_BYTES:
            lost += int(content[at + LOST_AT : at + LOST_BYTES].view(np.uint64)[0])
        at += size
    return np.concatenate(runs).reshape(-1).view(dtype), lost


def _sample_bytes(size: int) -> int:
    """How long the record is that carries a sample: the kernel pads it to a multiple of 8."""
    return HEADER_BYTES + ((LENGTH_BYTES + size + 7) & ~7)


def _header(content: npt.NDArray[np.uint8], at: int) -> np.uint64:
    """Kind and size of the record, which is sure to fit."""
    left = len(content) - at
    if left >= HEADER_BYTES:
        header: np.uint64 = content[at : at + HEADER_BYTES].view(np.uint64)[0] & KIND_AND_SIZE
        size = int(header) >> 48
        if HEADER_BYTES <= size <= left and size % 8 == 0:
            return header
    raise UsageError(f"no perf record: the last {left} bytes make no sense")


def _same(
    content: npt.NDArray[np.uint8], at: int, size: int, header: np.uint64
) -> npt.NDArray[np.uint8]:
    """The records from here on that have the same header, one a row."""
    count = min((len(content) - at) // size, LONGEST_RUN)
    rows = content[at : at + count * size].reshape(count, size)
    differs = rows[:, :HEADER_BYTES].copy().view(np.uint64)[:, 0] & KIND_AND_SIZE != header
    return rows[: int(differs.argmax())] if differs.any() else rows
