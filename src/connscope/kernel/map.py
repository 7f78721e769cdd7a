"""One BPF map: get, set, delete, iterate; one by one or in batches of columns."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.errors import NotSupportedError, UsageError
from connscope.kernel.libbpf import check, ffi, library

__all__ = ("BpfMap",)

PERCPU_TYPES = (5, 6, 10, 21)  # hash, array, LRU hash, cgroup storage; enum bpf_map_type
BATCH = 4096


class BpfMap:
    """A map of an object, usable once the object is loaded.

    Keys and values are bytes; `numpy` arrays and everything else with a buffer will do. A value of
    a per-CPU map is the values of all possible CPUs, each padded to 8 bytes.

    Attributes:
        name: as in the source.
        type: number of ``enum bpf_map_type``.
        key_size: bytes of a key.
        value_size: bytes of one value, of one CPU.
    """

    def __init__(self, pointer: Any) -> None:
        lib = library()
        self._pointer = pointer
        self.name = ffi.string(lib.bpf_map__name(pointer)).decode()
        self.type = int(lib.bpf_map__type(pointer))
        self.key_size = int(lib.bpf_map__key_size(pointer))
        self.value_size = int(lib.bpf_map__value_size(pointer))

    @property
    def fd(self) -> int:
        """The map's fd, owned by the object.

        Raises:
            UsageError: the object is not loaded yet.
        """
        number = int(library().bpf_map__fd(self._pointer))
        if number < 0:
            raise UsageError(f"map {self.name} has no fd yet: load its object first")
        return number

    @property
    def max_entries(self) -> int:
        """How many entries it holds; bytes for a ring buffer."""
        return int(library().bpf_map__max_entries(self._pointer))

    def resize(self, max_entries: int) -> None:
        """Sets how many entries it will hold (bytes for a ring buffer); before load only."""
        library_result = library().bpf_map__set_max_entries(self._pointer, max_entries)
        check(library_result, f"size of map {self.name}")

    def reuse(self, other: BpfMap) -> None:
        """Makes this the same map as one of an object that is loaded already; before load only."""
        check(library().bpf_map__reuse_fd(self._pointer, other.fd), f"reuse of map {self.name}")

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, None if there is none."""
        value = bytearray(self._held_size())
        result = library().bpf_map_lookup_elem(
            self.fd, self._key(key), ffi.from_buffer(value)
        )
        if result == -errno.ENOENT:
            return None
        check(result, f"lookup in map {self.name}")
        return bytes(value)

    def set(self, key: bytes, value: bytes) -> None:
        """Puts a value under a key, whether or not there was one."""
        if len(value) != self._held_size():
            raise UsageError(
                f"map {self.name} takes values of {self._held_size()} bytes, not {len(value)}"
            )
        result = library().bpf_map_update_elem(
            self.fd, self._key(key), ffi.from_buffer(value), 0
        )
        check(result, f"update of map {self.name}")

    def delete(self, key: bytes) -> bool:
        """Deletes a key; False if it was not there."""
        result = library().bpf_map_delete_elem(self.fd, self._key(key))
        if result == -errno.ENOENT:
            return False
        check(result, f"delete in map {self.name}")
        return True

    def __iter__(self) -> Iterator[bytes]:
        """All keys. A key deleted meanwhile may make the kernel start over."""
        key = ffi.new("char[]", self.key_size)
        previous: Any = ffi.NULL
        while True:
            result = library().bpf_map_get_next_key(self.fd, previous, key)
            if result == -errno.ENOENT:
                return
            check(result, f"walk of map {self.name}")
            found = bytes(ffi.buffer(key))
            yield found
            previous = ffi.new("char[]", found)

    def read(
        self, key: npt.DTypeLike, value: npt.DTypeLike, *, delete: bool = False
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Reads the whole hash map in batches.

        Args:
            key: dtype of a key, `key_size` bytes.
            value: dtype of a value, `value_size` bytes; a per-CPU map has one more axis, the CPU.
            delete: take the entries out.

        Returns:
            Keys, shape (n,), and values, shape (n,) or (n, CPUs).

        Raises:
            NotSupportedError: this kernel has no batch calls for this type of map (before 5.6).
        """
        lib = library()
        call = lib.bpf_map_lookup_and_delete_batch if delete else lib.bpf_map_lookup_batch
        room = min(self.max_entries, BATCH)
        token, count = ffi.new("char[]", max(self.key_size, 4)), ffi.new("unsigned int *")
        keys, values = bytearray(), bytearray()
        position: Any = ffi.NULL
        done = False
        while not done:
            some_keys = bytearray(room * self.key_size)
            some_values = bytearray(room * self._held_size())
            count[0] = room
            result = call(
                self.fd, position, token, ffi.from_buffer(some_keys), ffi.from_buffer(some_values),
                count, ffi.NULL,
            )  # fmt: skip
            if result == -errno.ENOSPC and count[0] == 0:
                room *= 2  # one bucket of the hash holds more than that
                continue
            done = result == -errno.ENOENT
            if not done:
                check(result, f"batch read of map {self.name}")
            keys += some_keys[: count[0] * self.key_size]
            values += some_values[: count[0] * self._held_size()]
            position = token
        return np.frombuffer(keys, key), self._columns(values, value)

    def write(self, keys: npt.NDArray[Any], values: npt.NDArray[Any]) -> None:
        """Puts many entries at once; shapes as `read` gives them."""
        keys, values = np.ascontiguousarray(keys), np.ascontiguousarray(values)
        if keys.nbytes != len(keys) * self.key_size or values.nbytes != len(keys) * self._held_size():
            raise UsageError(
                f"map {self.name} takes keys of {self.key_size} and values of "
                f"{self._held_size()} bytes"
            )
        count = ffi.new("unsigned int *", len(keys))
        result = library().bpf_map_update_batch(
            self.fd, ffi.from_buffer(keys), ffi.from_buffer(values), count, ffi.NULL
        )
        check(result, f"batch update of map {self.name}")

    def _columns(self, values: bytearray, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
        if self.type not in PERCPU_TYPES:
            return np.frombuffer(values, dtype)
        padded = np.frombuffer(values, np.uint8).reshape(-1, cpus(), _pad(self.value_size))
        return padded[:, :, : self.value_size].copy().view(dtype)[:, :, 0]

    def _held_size(self) -> int:
        if self.type in PERCPU_TYPES:
            return _pad(self.value_size) * cpus()
        return self.value_size

    def _key(self, key: bytes) -> Any:
        if len(key) != self.key_size:
            raise UsageError(f"map {self.name} takes keys of {self.key_size} bytes, not {len(key)}")
        return ffi.from_buffer(key)


def cpus() -> int:
    """How many CPUs there can be: the length of every per-CPU value.

    Raises:
        NotSupportedError: the kernel does not say.
    """
    number = int(library().libbpf_num_possible_cpus())
    if number < 1:
        raise NotSupportedError("possible CPUs", "/sys/devices/system/cpu/possible is unreadable")
    return number


def _pad(size: int) -> int:
    return (size + 7) & ~7
