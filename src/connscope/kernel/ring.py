"""A BPF ring buffer, drained as columns straight from the kernel's pages.

Layout of the kernel's kernel/bpf/ringbuf.c: one page with the consumer's position (writable), one
with the producer's, then the data, mapped twice in a row so that a record that wraps is whole. Each
record has an 8-byte header: length with a busy and a discard bit, and a page offset.
"""

from __future__ import annotations

import mmap
import os
import platform
import select
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.errors import UsageError
from connscope.kernel.map import BpfMap

__all__ = ("RingBuffer",)

RINGBUF = 27  # enum bpf_map_type
HEADER_BYTES = 8
BUSY, DISCARD = np.uint32(1 << 31), np.uint32(1 << 30)
LENGTH = np.uint32((1 << 30) - 1)
# x86 loads are never reordered with loads; elsewhere a system call between the two reads orders them.
ORDERED_LOADS = platform.machine() in ("x86_64", "AMD64", "i686")


class RingBuffer:
    """The reading end of a ring buffer map. One reader at a time.

    Args:
        ring: a loaded map of type ``BPF_MAP_TYPE_RINGBUF``.
        dtype: of the records, all of one size, a multiple of 8 bytes; without one only `read_bytes`
            works.

    Raises:
        UsageError: not a ring buffer, or a dtype that no record can have.
    """

    def __init__(self, ring: BpfMap, dtype: npt.DTypeLike = np.uint64) -> None:
        self.dtype = np.dtype(dtype)
        if ring.type != RINGBUF:
            raise UsageError(f"map {ring.name} is no ring buffer")
        if self.dtype.itemsize % 8:
            raise UsageError(
                f"records of {self.dtype.itemsize} bytes: the kernel pads them to a multiple of 8, "
                "so pad the dtype"
            )
        page, self._size = mmap.PAGESIZE, ring.max_entries
        self._consumer_page = mmap.mmap(ring.fd, page)
        self._pages = mmap.mmap(ring.fd, page + 2 * self._size, offset=page, prot=mmap.PROT_READ)
        self._consumer = np.frombuffer(self._consumer_page, np.uint64, 1)
        self._producer = np.frombuffer(self._pages, np.uint64, 1)
        self._record = np.dtype(
            [("length", np.uint32), ("page_offset", np.uint32), ("body", self.dtype)]
        )
        self._epoll = select.epoll()
        self._epoll.register(ring.fd, select.EPOLLIN)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits until there is something to read; False when the time is over.

        The kernel wakes a reader once for the first record behind what was read, so reading late
        costs no wake-ups.
        """
        return bool(len(self) or self._epoll.poll(timeout_s))

    def __len__(self) -> int:
        """How many bytes are waiting, those of discarded records included."""
        return int(self._producer[0] - self._consumer[0])

    def read(self, limit: int = 8192) -> npt.NDArray[Any]:
        """Takes at most `limit` records out, all at once.

        Returns:
            A copy of the records, in the order they were reserved; empty if there are none.

        Raises:
            UsageError: the program writes records of another size than the dtype's.
        """
        position, waiting = self._position()
        if not waiting:
            return np.empty(0, self.dtype)
        count = min(waiting // self._record.itemsize, limit)
        records = np.frombuffer(self._pages, self._record, count, self._offset(position))
        lengths = records["length"]
        busy = lengths & BUSY != 0
        if busy.any():
            records = records[: int(busy.argmax())]
            lengths = lengths[: len(records)]
        if not count or (lengths & LENGTH != self.dtype.itemsize).any():
            raise UsageError(
                f"the ring holds records of another size than the {self.dtype.itemsize} bytes "
                "of the dtype: use read_bytes"
            )
        kept = lengths & DISCARD == 0
        found: npt.NDArray[Any] = records["body"].copy() if kept.all() else records["body"][kept]
        self._consumer[0] = position + len(records) * self._record.itemsize
        return found

    def read_bytes(self, limit: int = 8192) -> list[bytes]:
        """Takes at most `limit` records of any size out, one by one."""
        position, waiting = self._position()
        end, found = position + waiting, list[bytes]()
        while position < end and len(found) < limit:
            at = self._offset(position)
            length = int.from_bytes(self._pages[at : at + 4], sys.byteorder)
            if length & int(BUSY):
                break
            size = length & int(LENGTH)
            if not length & int(DISCARD):
                found.append(self._pages[at + HEADER_BYTES : at + HEADER_BYTES + size])
            position += (HEADER_BYTES + size + 7) & ~7
        self._consumer[0] = position
        return found

    def _position(self) -> tuple[int, int]:
        """Where the reader stands, and how many bytes are ahead of it."""
        position = int(self._consumer[0])
        waiting = int(self._producer[0]) - position
        if not ORDERED_LOADS:
            os.getppid()
        return position, waiting

    def _offset(self, position: int) -> int:
        return mmap.PAGESIZE + position % self._size

    def close(self) -> None:
        """Unmaps the ring; a second call does nothing."""
        if self._epoll.closed:
            return
        self._epoll.close()
        del self._consumer, self._producer
        self._consumer_page.close()
        self._pages.close()

