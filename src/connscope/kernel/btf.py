"""Types as BTF describes them: of a built object, or of the running kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from connscope.errors import UsageError
from connscope.kernel.libbpf import ffi, library, take_pointer
from connscope.kernel.resource import Resource

__all__ = ("Btf", "Field", "Variable")

# The kinds of linux/btf.h.
INT, PTR, ARRAY, STRUCT, UNION, ENUM = 1, 2, 3, 4, 5, 6
TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, VAR, DATASEC = 8, 9, 10, 11, 12, 14, 15
TYPE_TAG, ENUM64 = 18, 19
FORWARDING = (TYPEDEF, VOLATILE, CONST, RESTRICT, VAR, TYPE_TAG)
TYPE_WORDS = 3  # of struct btf_type; what belongs to the kind follows it
SIGNED_INT = 1 << 24  # in the word that follows an INT
KIND_FLAG = 1 << 31  # of an enum: signed; of a struct: bit fields have their size in the offset
BIT_OFFSET = (1 << 24) - 1


class Field(NamedTuple):
    """One member of a struct: offset and size in bytes; of a bit field, where its bits begin."""

    name: str
    offset: int
    size: int


class Variable(NamedTuple):
    """One global variable: its section (``.rodata``), offset and size in bytes, its sign."""

    section: str
    offset: int
    size: int
    signed: bool = False


class Btf(Resource):
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

    def has_function(self, name: str) -> bool:
        """True if there is a function (or kfunc) of that name."""
        return self._find(name, FUNC) > 0

    def has_struct(self, name: str) -> bool:
        """True if there is a struct of that name."""
        return self._find(name, STRUCT) > 0

    def struct(self, name: str) -> tuple[Field, ...]:
        """The members of a struct, in order; empty if there is none of that name."""
        number = self._find(name, STRUCT)
        mask = BIT_OFFSET if number > 0 and self._words(number)[1] & KIND_FLAG else 0xFFFFFFFF
        return tuple(
            Field(self._name(name_offset), (bits & mask) // 8, self.size(member))
            for name_offset, member, bits in self._entries(number)
        )

    def offset(self, name: str, *path: str) -> int | None:
        """Where a member of a struct is, in bytes from its start; None if there is none.

        Args:
            name: of the struct.
            path: the member, then the member of that one, and so on; of an array its first
                element. Members of nameless structs and unions count as the struct's own.
        """
        number = self._find(name, STRUCT)
        found = 0
        for member in path:
            step = self._member(number, member)
            if step is None:
                return None
            found += step[0]
            number = step[1]
        return found

    def _member(self, number: int, name: str) -> tuple[int, int] | None:
        """Offset in bytes and type of a member, also of those of nameless structs and unions."""
        words = self._words(self._behind(number)) if number > 0 else (0, 0)
        while words[1] >> 24 & 0x1F == ARRAY:
            number = int(words[TYPE_WORDS])
            words = self._words(self._behind(number))
        if words[1] >> 24 & 0x1F not in (STRUCT, UNION):
            return None
        mask = BIT_OFFSET if words[1] & KIND_FLAG else 0xFFFFFFFF
        for name_offset, member, bits in self._entries(self._behind(number)):
            at, found = (bits & mask) // 8, self._name(name_offset)
            if found == name:
                return at, member
            if not found and (inner := self._member(member, name)):
                return at + inner[0], inner[1]
        return None

    def enum(self, name: str) -> dict[str, int]:
        """The enumerators of an enum; empty if there is none of that name."""
        for kind, width in ((ENUM, 2), (ENUM64, 3)):
            number = self._find(name, kind)
            if number > 0:
                return self._enumerators(self._words(number), width)
        return {}

    def _enumerators(self, words: Any, width: int) -> dict[str, int]:
        """Each is a name and a value of one or two words, the low one first."""
        found = {}
        bits = 32 * (width - 1)
        for at in range(TYPE_WORDS, TYPE_WORDS + width * (words[1] & 0xFFFF), width):
            value = sum(words[at + 1 + i] << 32 * i for i in range(width - 1))
            negative = words[1] & KIND_FLAG and value >> (bits - 1)
            found[self._name(words[at])] = value - (1 << bits) if negative else value
        return found

    def variables(self) -> dict[str, Variable]:
        """All global variables by name."""
        found = {}
        for number in range(1, library().btf__type_cnt(self._open)):
            if self._kind(number) != DATASEC:
                continue
            section = self._name(self._words(number)[0])
            for variable, offset, size in self._entries(number):
                name = self._name(self._words(variable)[0])
                found[name] = Variable(section, offset, size, self._is_signed(variable))
        return found

    def _is_signed(self, number: int) -> bool:
        words = self._words(self._behind(number))
        kind = words[1] >> 24 & 0x1F
        if kind == INT:
            return bool(words[TYPE_WORDS] & SIGNED_INT)
        return kind in (ENUM, ENUM64) and bool(words[1] & KIND_FLAG)

    def _behind(self, number: int) -> int:
        """The type that typedefs and qualifiers stand for."""
        while self._kind(number) in FORWARDING:
            number = self._words(number)[2]
        return number

    def size(self, number: int) -> int:
        """The size in bytes of the type with that number."""
        words = self._words(self._behind(number))
        kind = words[1] >> 24 & 0x1F
        if kind == PTR:
            return 8
        if kind == ARRAY:
            return int(words[TYPE_WORDS + 2]) * self.size(words[TYPE_WORDS])
        return int(words[2])

    @property
    def _open(self) -> Any:
        if self._pointer is None:
            raise UsageError("these types are gone: closed, or their object is")
        return self._pointer

    def _find(self, name: str, kind: int) -> int:
        return int(library().btf__find_by_name_kind(self._open, name.encode(), kind))

    def _words(self, number: int) -> Any:
        found = library().btf__type_by_id(self._open, number)
        if not found:
            raise UsageError(f"no type has the number {number}")
        return ffi.cast("const unsigned int *", found)

    def _kind(self, number: int) -> int:
        return int(self._words(number)[1]) >> 24 & 0x1F

    def _entries(self, number: int) -> list[tuple[int, int, int]]:
        """Three words each: of a struct name, type, bits; of a data section type, offset, size."""
        if number <= 0:
            return []
        words = self._words(number)
        starts = range(TYPE_WORDS, TYPE_WORDS + 3 * (words[1] & 0xFFFF), 3)
        return [(words[at], words[at + 1], words[at + 2]) for at in starts]

    def _name(self, offset: int) -> str:
        name = library().btf__name_by_offset(self._open, offset)
        return ffi.string(name).decode() if name else ""
