"""A BPF iterator: one read walks kernel objects and yields what the program wrote, as columns."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.errors import UsageError
from connscope.kernel.libbpf import check, error_from, library
from connscope.kernel.resource import Resource

__all__ = ("BpfIterator",)

FIRST_BYTES = 1 << 18


class BpfIterator(Resource):
    """An attached iterator program; each `read` is a new walk.

    Made by `BpfProgram.attach_iterator`.

    Args:
        link: the program's link.
        name: the program's.
        dtype: of the records that the program writes with ``bpf_seq_write``.
    """

    def __init__(self, link: Any, name: str, dtype: npt.DTypeLike) -> None:
        self._link = link
        self._name = name
        self.dtype = np.dtype(dtype)
        self._room = FIRST_BYTES

    def read(self) -> npt.NDArray[Any]:
        """Walks once.

        Returns:
            One record for each time the program wrote one; shape (n,).

        Raises:
            KernelError: the walk could not be started, or broke off.
            UsageError: what came is no whole number of records, or the iterator is closed.
        """
        if self._link is None:
            raise UsageError(f"iterator {self._name} is closed")
        lib = library()
        fd = check(lib.bpf_iter_create(lib.bpf_link__fd(self._link)), f"iterator {self._name}")
        try:
            content = self._read_all(fd)
        except OSError as error:
            raise error_from(error.errno or 0, f"walk of iterator {self._name}") from error
        finally:
            os.close(fd)
        if len(content) % self.dtype.itemsize:
            raise UsageError(
                f"iterator {self._name} wrote {len(content)} bytes: not a multiple of the "
                f"{self.dtype.itemsize} bytes of the dtype"
            )
        return np.frombuffer(content, self.dtype)

    def _read_all(self, fd: int) -> memoryview:
        content, filled = bytearray(self._room), 0
        while got := _read_some(fd, memoryview(content)[filled:]):
            filled += got
            if filled == len(content):
                content = content + bytearray(filled)
        # A little more than this time, so that the next walk needs no second buffer.
        self._room = max(FIRST_BYTES, filled + filled // 4)
        return memoryview(content)[:filled]

    def close(self) -> None:
        """Detaches the program; a second call does nothing."""
        if self._link is not None:
            library().bpf_link__destroy(self._link)
            self._link = None


def _read_some(fd: int, room: memoryview) -> int:
    while True:
        try:
            return os.readv(fd, [room])
        except BlockingIOError:
            # A million objects in a row of which the program wrote none: go on from there.
            continue
