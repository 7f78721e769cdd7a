"""Types as BTF describes them: of a built object, or of the running kernel."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple, Self

from connscope.kernel.libbpf import ffi, library, take_pointer

__all__ = ("Btf", "Field", "Variable")

# enum of linux/btf.h
PTR, ARRAY, STRUCT, ENUM = 2, 3, 4, 6
TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, VAR, DATASEC = 8, 9, 10, 11, 12, 14, 15
FORWARDING = (TYPEDEF, VOLATILE, CONST, RESTRICT, VAR)
TYPE_WORDS = 3  # of struct btf_type; what belongs to the kind follows it


class Field(NamedTuple):
    """One member of a struct: offset and size in bytes."""

    name: str
    offset: int
    size: int


class Variable(NamedTuple):
    """One global variable: its section (``.rodata``), offset and size in bytes."""

    section: str
    offset: int
    size: int


class Btf:
    """A set of types.

    Made by `BpfObject.btf`, or by `of_kernel`, which must be closed.
    """

    def __init__(self, pointer: Any, free: Callable[[Any], object] | None = None) -> None:
        self._pointer = pointer
        self._free = free

    @classmethod
    def of_kernel(cls) -> Btf:
        """The running kernel's types.

        Raises:
            NotSupportedError: the kernel brings no BTF.
        """
        lib = library()
        pointer = take_pointer(lib.btf__load_vmlinux_btf(), "BTF of the kernel")
        return cls(pointer, lib.btf__free)

    def close(self) -> None:
        """Frees the types; a second call does nothing."""
        if self._free and self._pointer:
            self._free(self._pointer)
        self._pointer = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def has_function(self, name: str) -> bool:
        """True if there is a function (or kfunc) of that name."""
        return self._find(name, FUNC) > 0

    def has_struct(self, name: str) -> bool:
        """True if there is a struct of that name."""
        return self._find(name, STRUCT) > 0

    def struct(self, name: str) -> tuple[Field, ...]:
        """The members of a struct, in order; empty if there is none of that name."""
        number = self._find(name, STRUCT)
        return tuple(
            Field(self._name(name_offset), bits // 8, self.size(member))
            for name_offset, member, bits in self._entries(number)
        )

    def enum(self, name: str) -> dict[str, int]:
        """The enumerators of an enum; empty if there is none of that name."""
        number = self._find(name, ENUM)
        if number <= 0:
            return {}
        words = self._words(number)
        count = words[1] & 0xFFFF
        pairs = ((words[TYPE_WORDS + 2 * i], words[TYPE_WORDS + 2 * i + 1]) for i in range(count))
        return {self._name(name_offset): int(value) for name_offset, value in pairs}

    def variables(self) -> dict[str, Variable]:
        """All global variables by name."""
        found = {}
        for number in range(1, library().btf__type_cnt(self._pointer)):
            if self._kind(number) != DATASEC:
                continue
            section = self._name(self._words(number)[0])
            for variable, offset, size in self._entries(number):
                name = self._name(self._words(variable)[0])
                found[name] = Variable(section, offset, size)
        return found

    def size(self, number: int) -> int:
        """The size in bytes of the type with that number."""
        while (kind := self._kind(number)) in FORWARDING:
            number = self._words(number)[2]
        words = self._words(number)
        if kind == PTR:
            return 8
        if kind == ARRAY:
            return int(words[TYPE_WORDS + 2]) * self.size(words[TYPE_WORDS])
        return int(words[2])

    def _find(self, name: str, kind: int) -> int:
        return int(library().btf__find_by_name_kind(self._pointer, name.encode(), kind))

    def _words(self, number: int) -> Any:
        return ffi.cast(
            "const unsigned int *", library().btf__type_by_id(self._pointer, number)
        )

    def _kind(self, number: int) -> int:
        return int(self._words(number)[1]) >> 24 & 0x1F

    def _entries(self, number: int) -> list[tuple[int, int, int]]:
        """The three-word entries of a struct (name, type, bits) or data section (type, offset, size)."""
        if number <= 0:
            return []
        words = self._words(number)
        starts = range(TYPE_WORDS, TYPE_WORDS + 3 * (words[1] & 0xFFFF), 3)
        return [(words[at], words[at + 1], words[at + 2]) for at in starts]

    def _name(self, offset: int) -> str:
        name = library().btf__name_by_offset(self._pointer, offset)
        return ffi.string(name).decode() if name else ""
