"""A BPF ring buffer, drained as columns straight from the kernel's pages.

Layout of the kernel's kernel/bpf/ringbuf.c: one page with the consumer's position (writable), one
with the producer's, then the data, mapped twice in a row so that a record that wraps is whole. Each
record has an 8-byte header: length with a busy and a discard bit, and a page offset.
"""

from __future__ import annotations

import mmap
import select
from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.errors import UsageError
from connscope.kernel.fence import fence
from connscope.kernel.libbpf import error_from, ffi, library
from connscope.kernel.map import BpfMap
from connscope.kernel.resource import Resource

__all__ = ("RingBuffer", "has_ring_buffers", "take_bytes", "take_columns")

RINGBUF = 27  # enum bpf_map_type
HEADER_BYTES = 8
BUSY, DISCARD = 1 << 31, 1 << 30
LENGTH = DISCARD - 1


class RingBuffer(Resource):
    """The reading end of a ring buffer map. One reader at a time.

    Args:
        ring: a loaded map of type ``BPF_MAP_TYPE_RINGBUF``.
        dtype: of the records, all of one size, a multiple of 8 bytes; without one only `read_bytes`
            works.

    Raises:
        UsageError: not a ring buffer, or a dtype that no record can have.
        KernelError: its pages can not be mapped.
    """

    def __init__(self, ring: BpfMap, dtype: npt.DTypeLike = np.uint64) -> None:
        self.dtype = np.dtype(dtype)
        self.name = ring.name
        if ring.type != RINGBUF:
            raise UsageError(f"map {ring.name} is no ring buffer")
        if self.dtype.itemsize % 8 or not self.dtype.itemsize:
            raise UsageError(
                f"records of {self.dtype.itemsize} bytes: the kernel pads them to a multiple of 8, "
                "so pad the dtype"
            )
        self._size = ring.max_entries
        try:
            self._epoll = select.epoll()
            try:
                self._epoll.register(ring.fd, select.EPOLLIN)
                consumer, pages = _map_pages(ring.fd, self._size)
            except BaseException:
                self._epoll.close()
                raise
        except OSError as error:
            raise error_from(error.errno or 0, f"mapping ring buffer {ring.name}") from error
        self._consumer = np.frombuffer(consumer, np.uint64, 1)
        self._producer = np.frombuffer(pages, np.uint64, 1)
        self._data = np.frombuffer(pages, np.uint8, offset=mmap.PAGESIZE)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits until there is something to read; False when the time is over.

        The kernel wakes a reader once for the first record behind what was read, so reading late
        costs no wake-ups.
        """
        return bool(len(self) or self._epoll.poll(timeout_s))

    def __len__(self) -> int:
        """How many bytes are waiting, those of discarded records included."""
        if self._epoll.closed:
            raise UsageError(f"ring buffer {self.name} is closed")
        return int(self._producer[0]) - int(self._consumer[0])

    def read(self, limit: int = 8192) -> npt.NDArray[Any]:
        """Takes at most `limit` records out, all at once.

        Returns:
            A copy of the records, in the order they were reserved; empty if there are none.

        Raises:
            UsageError: the next record has another size than the dtype; it stays in the ring.
        """
        waiting = len(self)
        fence()
        found, taken = take_columns(self._ahead(waiting), self.dtype, limit)
        self._advance(taken)
        return found

    def read_bytes(self, limit: int = 8192) -> list[bytes]:
        """Takes at most `limit` records of any size out, one by one.

        Raises:
            UsageError: what is there is no record, so something else wrote into the ring.
        """
        waiting = len(self)
        fence()
        found, taken = take_bytes(self._ahead(waiting), limit)
        self._advance(taken)
        return found

    def _ahead(self, waiting: int) -> npt.NDArray[np.uint8]:
        """What waits, in one piece thanks to the second mapping."""
        start = int(self._consumer[0]) % self._size
        return self._data[start : start + waiting]

    def _advance(self, taken: int) -> None:
        """Gives the kernel the room back: not before the copy is made, and not after the next look
        at the producer's position, or the wake-up between the two would be lost."""
        fence()
        self._consumer[0] += np.uint64(taken)
        fence()

    def close(self) -> None:
        """Unmaps the ring; a second call does nothing."""
        if self._epoll.closed:
            return
        self._epoll.close()
        # The mappings go with their last array: one may still hang in the trace of an error.
        del self._consumer, self._producer, self._data


def has_ring_buffers() -> bool:
    """Whether this kernel has them (5.8), found out by making one."""
    return bool(library().libbpf_probe_bpf_map_type(RINGBUF, ffi.NULL) == 1)


def _map_pages(fd: int, size: int) -> tuple[mmap.mmap, mmap.mmap]:
    """The page of the consumer's position, and those of the producer's and the data. Each holds a
    descriptor of its own."""
    page = mmap.PAGESIZE
    consumer = mmap.mmap(fd, page)
    try:
        return consumer, mmap.mmap(fd, page + 2 * size, offset=page, prot=mmap.PROT_READ)
    except BaseException:
        consumer.close()  # or it would live as long as the trace of the error
        raise


def take_columns(
    ahead: npt.NDArray[np.uint8], dtype: np.dtype[Any], limit: int
) -> tuple[npt.NDArray[Any], int]:
    """Copies the finished records at the head of a ring's bytes, all of one size.

    Args:
        ahead: the bytes that wait, from a record's header on.
        dtype: of each record.
        limit: at most so many records, discarded ones included.

    Returns:
        The records that were not discarded, and how many bytes all of them took.

    Raises:
        UsageError: the first record has another size.
    """
    # Opaque bodies, because NumPy copies structured ones field by field, ten times slower.
    body = np.dtype((np.void, dtype.itemsize))
    slot = np.dtype([("length", np.uint32), ("page_offset", np.uint32), ("body", body)])
    count = max(0, min(len(ahead) // slot.itemsize, limit))
    slots = ahead[: count * slot.itemsize].view(slot)
    lengths = slots["length"].copy()
    odd = lengths & np.uint32(~DISCARD & 0xFFFFFFFF) != dtype.itemsize
    if odd.any():
        count = int(odd.argmax())  # the first that is busy, or of another size
    if count == 0 and len(ahead) and limit > 0:
        _check_first(ahead, dtype.itemsize)
    fence()  # a body may be read only after the header that says it is complete
    bodies, kept = slots["body"][:count], lengths[:count] & DISCARD == 0
    found = bodies.copy() if kept.all() else bodies[kept]
    return found.view(dtype), count * slot.itemsize


def _check_first(ahead: npt.NDArray[np.uint8], size: int) -> None:
    """Tells a busy first record, which is fine, from one of another size."""
    length = _header(ahead, 0)
    if not length & BUSY and length & LENGTH != size:
        raise UsageError(
            f"the ring holds a record of {length & LENGTH} bytes, the dtype has {size}: "
            "use read_bytes"
        )


def take_bytes(ahead: npt.NDArray[np.uint8], limit: int) -> tuple[list[bytes], int]:
    """Copies the finished records at the head of a ring's bytes, of whatever size.

    Returns:
        At most `limit` records that were not discarded, and how many bytes all of them took.

    Raises:
        UsageError: a record is longer than all that waits.
    """
    at, found = 0, list[bytes]()
    while at < len(ahead) and len(found) < limit:
        length = _header(ahead, at)
        if length & BUSY:
            break
        start, size = at + HEADER_BYTES, length & LENGTH
        if start + size > len(ahead):
            raise UsageError(f"the ring claims a record of {size} bytes, {len(ahead) - at} wait")
        fence()
        if not length & DISCARD:
            found.append(ahead[start : start + size].tobytes())
        at = (start + size + 7) & ~7
    return found, min(at, len(ahead))


def _header(ahead: npt.NDArray[np.uint8], at: int) -> int:
    if at + HEADER_BYTES > len(ahead):
        raise UsageError(f"the ring ends in the middle of a header, {len(ahead) - at} bytes wait")
    return int(ahead[at : at + 4].view(np.uint32)[0])
