"""One BPF map: get, set, delete, iterate; one by one or in batches of columns."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from connscope.errors import NotSupportedError, UsageError
from connscope.kernel.libbpf import check, ffi, library

__all__ = ("BpfMap", "possible_cpus")

PERCPU_TYPES = (5, 6, 10, 21)  # hash, array, LRU hash, cgroup storage; enum bpf_map_type
BATCH = 4096

Bytes: TypeAlias = bytes | bytearray | memoryview | npt.NDArray[Any] | np.generic


class BpfMap:
    """A map of an object, usable once the object is loaded and until it is closed.

    Keys and values are bytes; NumPy arrays and scalars will do, also structured ones. A value of a
    per-CPU map is the values of all possible CPUs, each padded to 8 bytes.

    Attributes:
        name: as in the source.
        type: number of ``enum bpf_map_type``.
        key_size: bytes of a key.
        value_size: bytes of one value, of one CPU.
    """

    def __init__(self, pointer: Any) -> None:
        lib = library()
        self._owned: Any = pointer
        self.name: str = ffi.string(lib.bpf_map__name(pointer)).decode()
        self.type = int(lib.bpf_map__type(pointer))
        self.key_size = int(lib.bpf_map__key_size(pointer))
        self.value_size = int(lib.bpf_map__value_size(pointer))

    def forget(self) -> None:
        """Called by the object when it is closed: the map is gone with it."""
        self._owned = None

    @property
    def _pointer(self) -> Any:
        if self._owned is None:
            raise UsageError(f"map {self.name} is gone: its object is closed")
        return self._owned

    @property
    def fd(self) -> int:
        """The map's fd, owned by the object.

        Raises:
            UsageError: the object is not loaded yet, or closed.
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
        result = library().bpf_map__set_max_entries(self._pointer, max_entries)
        check(result, f"size of map {self.name}")

    def leave_out(self) -> None:
        """Does not create it with its object; before load only.

        Programs may still name it where the verifier finds that they never come to it.
        """
        result = library().bpf_map__set_autocreate(self._pointer, False)
        check(result, f"leaving out map {self.name}")

    @property
    def is_left_out(self) -> bool:
        """Whether its object is loaded without it."""
        return not library().bpf_map__autocreate(self._pointer)

    def reuse(self, other: BpfMap) -> None:
        """Makes this the same map as one of an object that is loaded already; before load only.

        Raises:
            UsageError: the two are not of one type, or differ in the size of keys or values.
        """
        mine = (self.type, self.key_size, self.value_size)
        theirs = (other.type, other.key_size, other.value_size)
        if mine != theirs:
            raise UsageError(
                f"map {self.name} can not be map {other.name}: type, key and value size are "
                f"{mine} here, {theirs} there"
            )
        check(library().bpf_map__reuse_fd(self._pointer, other.fd), f"reuse of map {self.name}")

    def get(self, key: Bytes) -> bytes | None:
        """The value of a key, None if there is none."""
        value = bytearray(self._held_size())
        result = library().bpf_map_lookup_elem(self.fd, self._key(key), ffi.from_buffer(value))
        if result == -errno.ENOENT:
            return None
        check(result, f"lookup in map {self.name}")
        return bytes(value)

    def set(self, key: Bytes, value: Bytes) -> None:
        """Puts a value under a key, whether or not there was one."""
        content = _bytes(value)
        if len(content) != self._held_size():
            raise UsageError(
                f"map {self.name} takes values of {self._held_size()} bytes, not {len(content)}"
            )
        result = library().bpf_map_update_elem(self.fd, self._key(key), content, 0)
        check(result, f"update of map {self.name}")

    def delete(self, key: Bytes) -> bool:
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
            previous = ffi.from_buffer(found)

    def read(
        self, key: npt.DTypeLike, value: npt.DTypeLike, *, delete: bool = False
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Reads the whole map in batches.

        Args:
            key: dtype of a key, `key_size` bytes.
            value: dtype of a value, `value_size` bytes; a per-CPU map has one more axis, the CPU.
            delete: take the entries out.

        Returns:
            Keys, shape (n,), and values, shape (n,) or (n, CPUs).

        Raises:
            UsageError: a dtype of another size.
            NotSupportedError: this kernel has no batch calls for this type of map (before 5.6).
        """
        lib = library()
        key_dtype, value_dtype = self._dtypes(key, value)
        call = lib.bpf_map_lookup_and_delete_batch if delete else lib.bpf_map_lookup_batch
        room, held = min(self.max_entries, BATCH), self._held_size()
        token, count = ffi.new("char[]", max(self.key_size, 4)), ffi.new("unsigned int *")
        keys, values = bytearray(), bytearray()
        position: Any = ffi.NULL
        done = False
        while not done:
            some_keys, some_values = bytearray(room * self.key_size), bytearray(room * held)
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
            values += some_values[: count[0] * held]
            position = token
        return np.frombuffer(keys, key_dtype), self._columns(values, value_dtype)

    def write(self, keys: npt.NDArray[Any], values: npt.NDArray[Any]) -> None:
        """Puts many entries at once; shapes as `read` gives them.

        Raises:
            UsageError: shapes or sizes that do not fit.
            FailedError: the map is full; those that found room are in it.
        """
        shape = (len(keys), possible_cpus()) if self._is_per_cpu else (len(keys),)
        if values.shape != shape or keys.shape != shape[:1]:
            raise UsageError(
                f"map {self.name} takes keys and values of shapes {shape[:1]} and {shape}, "
                f"not {keys.shape} and {values.shape}"
            )
        self._dtypes(keys.dtype, values.dtype)
        if not len(keys):
            return
        keys, held = np.ascontiguousarray(keys), np.zeros((len(keys), self._held_size()), np.uint8)
        rows = np.ascontiguousarray(values).view(np.uint8).reshape(*shape, self.value_size)
        held.reshape(*shape, -1)[..., : self.value_size] = rows
        count = ffi.new("unsigned int *", len(keys))
        result = library().bpf_map_update_batch(
            self.fd, ffi.from_buffer(keys.view(np.uint8)), ffi.from_buffer(held), count, ffi.NULL
        )
        check(result, f"batch update of map {self.name}")

    @property
    def _is_per_cpu(self) -> bool:
        return self.type in PERCPU_TYPES

    def _dtypes(
        self, key: npt.DTypeLike, value: npt.DTypeLike
    ) -> tuple[np.dtype[Any], np.dtype[Any]]:
        sizes = np.dtype(key).itemsize, np.dtype(value).itemsize
        if sizes != (self.key_size, self.value_size):
            raise UsageError(
                f"map {self.name} has keys of {self.key_size} and values of {self.value_size} "
                f"bytes, the dtypes have {sizes[0]} and {sizes[1]}"
            )
        return np.dtype(key), np.dtype(value)

    def _columns(self, values: bytearray, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
        if not self._is_per_cpu:
            return np.frombuffer(values, dtype)
        padded = np.frombuffer(values, np.uint8).reshape(-1, possible_cpus(), _pad(self.value_size))
        return padded[:, :, : self.value_size].copy().view(dtype)[:, :, 0]

    def _held_size(self) -> int:
        if self._is_per_cpu:
            return _pad(self.value_size) * possible_cpus()
        return self.value_size

    def _key(self, key: Bytes) -> Any:
        content = _bytes(key)
        if len(content) != self.key_size:
            raise UsageError(
                f"map {self.name} takes keys of {self.key_size} bytes, not {len(content)}"
            )
        return ffi.from_buffer(content)


def possible_cpus() -> int:
    """How many CPUs there can be: the length of every per-CPU value.

    Raises:
        NotSupportedError: the kernel does not say.
    """
    number = int(library().libbpf_num_possible_cpus())
    if number < 1:
        raise NotSupportedError("possible CPUs", "/sys/devices/system/cpu/possible is unreadable")
    return number


def _bytes(content: Bytes) -> bytes:
    if isinstance(content, (np.ndarray, np.generic)):
        return content.tobytes()
    return memoryview(content).tobytes()


def _pad(size: int) -> int:
    return (size + 7) & ~7
