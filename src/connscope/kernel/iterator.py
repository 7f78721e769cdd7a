"""A BPF iterator: one read walks kernel objects and yields what the program wrote, as columns."""

from __future__ import annotations

import os
from collections.abc import Callable
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
        fd = self._start()
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
        return content.view(self.dtype)

    def walk(self, paused: Callable[[], object]) -> bool:
        """Walks once with a program that leaves what it finds in maps.

        Args:
            paused: called each time the program returned 1, which asks for a pause: the walk then
                goes on with the same object.

        Returns:
            Whether there was no pause.

        Raises:
            KernelError: the walk could not be started, or broke off.
            UsageError: the program wrote records, or the iterator is closed.
        """
        is_whole, fd = True, self._start()
        try:
            while True:
                try:
                    written = os.read(fd, 1)
                except BlockingIOError:
                    is_whole = False
                    paused()
                    continue
                if written:
                    raise UsageError(f"iterator {self._name} wrote records: use read")
                return is_whole
        except OSError as error:
            raise error_from(error.errno or 0, f"walk of iterator {self._name}") from error
        finally:
            os.close(fd)

    def _start(self) -> int:
        if self._link is None:
            raise UsageError(f"iterator {self._name} is closed")
        lib = library()
        return check(lib.bpf_iter_create(lib.bpf_link__fd(self._link)), f"iterator {self._name}")

    def _read_all(self, fd: int) -> npt.NDArray[np.uint8]:
        """Pages that nothing was read into take no memory, so room costs nothing."""
        parts, room, filled = list[npt.NDArray[np.uint8]](), np.empty(self._room, np.uint8), 0
        while got := _read_some(fd, room[filled:]):
            filled += got
            if filled == len(room):
                parts.append(room)
                room, filled = np.empty(2 * filled, np.uint8), 0
        parts.append(room[:filled])
        content = np.concatenate(parts) if len(parts) > 1 else parts[0]
        # A little more than this time, so that the next walk needs no second part.
        self._room = max(FIRST_BYTES, len(content) + len(content) // 4)
        return content

    def close(self) -> None:
        """Detaches the program; a second call does nothing."""
        if self._link is not None:
            library().bpf_link__destroy(self._link)
            self._link = None


def _read_some(fd: int, room: npt.NDArray[np.uint8]) -> int:
    while True:
        try:
            return os.readv(fd, [room.data])
        except BlockingIOError:
            # A million objects in a row of which the program wrote none: go on from there.
            continue
