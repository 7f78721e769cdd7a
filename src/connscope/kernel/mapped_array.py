"""The values of an array map as a NumPy array, straight from the kernel's pages."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.errors import UsageError
from connscope.kernel.libbpf import error_from
from connscope.kernel.map import BpfMap
from connscope.kernel.resource import Resource

__all__ = ("MappedArray",)

VALUE_ALIGNMENT = 8


class MappedArray(Resource):
    """A window on an array map that has the flag ``BPF_F_MMAPABLE`` (5.5).

    Args:
        array: a loaded map.
        dtype: of its values, of their size, a multiple of 8 bytes.

    Raises:
        UsageError: a dtype of another size.
        KernelError: the map can not be mapped.
    """

    def __init__(self, array: BpfMap, dtype: npt.DTypeLike) -> None:
        self.dtype = np.dtype(dtype)
        if self.dtype.itemsize != array.value_size or self.dtype.itemsize % VALUE_ALIGNMENT:
            raise UsageError(
                f"values of map {array.name} have {array.value_size} bytes, "
                f"the dtype {self.dtype.itemsize}: they must agree in a multiple of 8"
            )
        # Opaque values, because NumPy copies structured ones field by field, ten times slower.
        opaque = np.dtype((np.void, self.dtype.itemsize))
        size = array.max_entries * self.dtype.itemsize
        try:
            pages = mmap.mmap(array.fd, size, mmap.MAP_SHARED, mmap.PROT_READ)
        except OSError as error:
            raise error_from(error.errno or 0, f"mapping map {array.name}") from error
        self._values: npt.NDArray[Any] | None = np.frombuffer(pages, opaque)

    def copy(self, count: int, where: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[Any]:
        """The first `count` values as they are now; of them those in the mask, if there is one."""
        if self._values is None:
            raise UsageError("the array is closed")
        values = self._values[:count]
        copied = values.copy() if where is None else values[where]
        return copied.view(self.dtype)

    def column(self, count: int, *path: str) -> npt.NDArray[Any]:
        """One field of the first `count` values as it is now; the rest of them is not read.

        Args:
            count: of values.
            path: the name of the field, or of fields within fields.
        """
        if self._values is None:
            raise UsageError("the array is closed")
        values = self._values[:count].view(self.dtype)
        for name in path:
            values = values[name]
        return values.copy()

    def close(self) -> None:
        """Unmaps it; a second call does nothing."""
        self._values = None
