"""A BPF object file and its life: open, set knobs, load, attach, close."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from connscope.errors import UsageError
from connscope.kernel.btf import Btf, Variable
from connscope.kernel.libbpf import check, ffi, library, messages, take_pointer
from connscope.kernel.map import BpfMap
from connscope.kernel.program import BpfLink, BpfProgram

__all__ = ("BpfObject",)


class BpfObject:
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
        lib, path = library(), Path(path)
        self.name = path.name.split(".")[0]
        content = path.read_bytes()
        with messages() as log:
            pointer = lib.bpf_object__open_mem(content, len(content), ffi.NULL)
            self._pointer = take_pointer(pointer, f"object {path}", "\n".join(log))
        self._links: list[BpfLink] = []
        self._variables: dict[str, Variable] | None = None
        self.programs: dict[str, BpfProgram] = {}
        self.maps: dict[str, BpfMap] = {}
        self._sections: dict[str, Any] = {}
        program = lib.bpf_object__next_program(self._pointer, ffi.NULL)
        while program:
            found = BpfProgram(program)
            self.programs[found.name] = found
            program = lib.bpf_object__next_program(self._pointer, program)
        a_map = lib.bpf_object__next_map(self._pointer, ffi.NULL)
        while a_map:
            self._keep_map(a_map)
            a_map = lib.bpf_object__next_map(self._pointer, a_map)

    def _keep_map(self, pointer: Any) -> None:
        found = BpfMap(pointer)
        if library().bpf_map__is_internal(pointer):
            # "object.rodata": the name is cut to 15 bytes, the section is what follows the dot.
            self._sections[found.name[found.name.index(".") :]] = pointer
        else:
            self.maps[found.name] = found

    @property
    def btf(self) -> Btf:
        """The types of this object; usable while it is open."""
        return Btf(library().bpf_object__btf(self._pointer))

    def set(self, **knobs: int) -> None:
        """Sets global variables (``const volatile`` knobs) before load.

        Raises:
            UsageError: there is no such variable.
        """
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
            place[:] = int(value).to_bytes(variable.size, sys.byteorder, signed=value < 0)

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
        return self

    def attach(self) -> tuple[BpfLink, ...]:
        """Attaches every loaded program where its section's name says; `close` detaches them."""
        self._links += [program.attach() for program in self.programs.values() if program.autoload]
        return tuple(self._links)

    def close(self) -> None:
        """Detaches what `attach` attached and unloads; a second call does nothing."""
        for link in self._links:
            link.close()
        self._links = []
        if self._pointer is not None:
            library().bpf_object__close(self._pointer)
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
