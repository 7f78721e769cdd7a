"""A BPF object file and its life: open, set knobs, load, attach, close."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

from connscope.errors import UsageError
from connscope.kernel.btf import Btf, Variable
from connscope.kernel.libbpf import check, ffi, library, messages, take_pointer
from connscope.kernel.map import BpfMap
from connscope.kernel.program import BpfLink, BpfProgram
from connscope.kernel.resource import Resource

__all__ = ("BpfObject",)


class BpfObject(Resource):
    """An object file in libbpf's style, opened: nothing of it is in the kernel before `load`.

    Args:
        path: of the ``.bpf.o`` file.

    Attributes:
        name: the file's name without its suffixes.
        programs: by name.
        maps: by name; those of global variables are not among them.

    Raises:
        OSError: the file can not be read.
        KernelError: it is no BPF object, or there is no libbpf.
    """

    def __init__(self, path: Path | str) -> None:
        path = Path(path)
        self.name = path.name.split(".")[0]
        self._owned: Any = _open(path.read_bytes(), self.name, str(path))
        self._loaded = False
        self._links: list[BpfLink] = []
        self._types: Btf | None = None
        self._variables: dict[str, Variable] | None = None
        self._sections: dict[str, Any] = {}
        self.programs: dict[str, BpfProgram] = {}
        self.maps: dict[str, BpfMap] = {}
        for pointer in _each(library().bpf_object__next_program, self._owned):
            program = BpfProgram(pointer)
            self.programs[program.name] = program
        for pointer in _each(library().bpf_object__next_map, self._owned):
            self._keep_map(pointer)

    def _keep_map(self, pointer: Any) -> None:
        found = BpfMap(pointer)
        if library().bpf_map__is_internal(pointer):
            # "object.rodata": the name is cut to 15 bytes, the section is what follows the dot.
            self._sections[found.name[found.name.index(".") :]] = pointer
        else:
            self.maps[found.name] = found

    @property
    def _pointer(self) -> Any:
        if self._owned is None:
            raise UsageError(f"object {self.name} is closed")
        return self._owned

    @property
    def btf(self) -> Btf:
        """The types of this object; usable while it is open.

        Raises:
            UsageError: it was built without ``-g``.
        """
        if self._types is None:
            pointer = library().bpf_object__btf(self._pointer)
            if not pointer:
                raise UsageError(f"object {self.name} has no BTF: build it with -g")
            self._types = Btf(pointer)
        return self._types

    def set(self, **knobs: int | bytes) -> None:
        """Sets global variables (``const volatile`` knobs) before load.

        Args:
            knobs: numbers; bytes for arrays, filled up with zeros.

        Raises:
            UsageError: there is no such variable, the value does not fit, or it is too late.
        """
        if self._loaded:
            raise UsageError(f"object {self.name} is loaded: its knobs are set before")
        if self._variables is None:
            self._variables = self.btf.variables()
        for name, value in knobs.items():
            variable = self._variables.get(name)
            if variable is None or variable.section not in self._sections:
                raise UsageError(f"object {self.name} has no global variable {name!r}")
            memory = library().bpf_map__initial_value(
                self._sections[variable.section], ffi.new("size_t *")
            )
            place = ffi.buffer(ffi.cast("char *", memory) + variable.offset, variable.size)
            place[:] = _encode(name, variable, value)

    def load(self) -> Self:
        """Brings maps and programs into the kernel, all or none.

        Raises:
            NotSupportedError: this kernel lacks something that they need.
            NotPermittedError: a capability is missing, or the kernel is locked down.
            FailedError: the verifier, or something else, refused; `log` has its words.
        """
        with messages() as log:
            result = library().bpf_object__load(self._pointer)
            check(result, f"loading {self.name}", "\n".join(log))
        self._loaded = True
        return self

    def attach(self) -> tuple[BpfLink, ...]:
        """Attaches every loaded program where its section's name says, all or none.

        `close` detaches them. Iterators are left out: `BpfProgram.attach_iterator` attaches those.

        Raises:
            UsageError: a section's name does not say where.
            KernelError: not supported, not permitted or failed.
        """
        with ExitStack() as attached:
            links = [
                attached.enter_context(program.attach())
                for program in self.programs.values()
                if program.autoload and not program.is_iterator
            ]
            attached.pop_all()
        self._links += links
        return tuple(links)

    def close(self) -> None:
        """Detaches what `attach` attached and unloads; a second call does nothing."""
        if self._owned is None:
            return
        for link in self._links:
            link.close()
        for program in self.programs.values():
            program.forget()
        for its_map in self.maps.values():
            its_map.forget()
        if self._types is not None:
            self._types.close()
        library().bpf_object__close(self._owned)
        self._links, self._sections, self._owned = [], {}, None


def _open(content: bytes, name: str, path: str) -> Any:
    # The head of struct bpf_object_open_opts: its size, and the name without which libbpf makes
    # one of an address, in the kernel's view of our maps.
    text = ffi.new("char[]", name.encode())
    options = ffi.new("size_t[2]", [2 * ffi.sizeof("size_t"), int(ffi.cast("size_t", text))])
    with messages() as log:
        pointer = library().bpf_object__open_mem(content, len(content), options)
        return take_pointer(pointer, f"object {path}", "\n".join(log))


def _each(following: Callable[[Any, Any], Any], pointer: Any) -> Iterator[Any]:
    part = following(pointer, ffi.NULL)
    while part:
        yield part
        part = following(pointer, part)


def _encode(name: str, variable: Variable, value: int | bytes) -> bytes:
    if isinstance(value, bytes):
        if len(value) > variable.size:
            raise UsageError(f"{len(value)} bytes do not fit {name} of {variable.size}")
        return value.ljust(variable.size, b"\0")
    try:
        return int(value).to_bytes(variable.size, sys.byteorder, signed=variable.signed)
    except OverflowError as error:
        kind = "signed" if variable.signed else "unsigned"
        raise UsageError(
            f"{value} does not fit {name}: {kind}, {8 * variable.size} bits"
        ) from error
