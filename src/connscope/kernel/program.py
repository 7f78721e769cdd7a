"""One BPF program of an object, and the link that attaching it makes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy.typing as npt

from connscope.errors import UsageError
from connscope.kernel.iterator import BpfIterator
from connscope.kernel.libbpf import check, ffi, library, messages, take_pointer
from connscope.kernel.map import BpfMap
from connscope.kernel.resource import Resource

__all__ = ("BpfLink", "BpfProgram")

MAP_FD_BYTES = 4  # of union bpf_iter_link_info, when a map is walked


class BpfLink(Resource):
    """A program that is attached. Detached by `close`, and by the kernel when the process ends."""

    def __init__(self, pointer: Any, name: str) -> None:
        self._pointer = pointer
        self.name = name

    def close(self) -> None:
        """Detaches; a second call does nothing."""
        if self._pointer is not None:
            library().bpf_link__destroy(self._pointer)
            self._pointer = None


class BpfProgram:
    """A program of an object.

    Attributes:
        name: the C function's name.
        section: the section's name, which tells where it attaches: ``tp_btf/sched_switch``.
    """

    def __init__(self, pointer: Any) -> None:
        lib = library()
        self._owned: Any = pointer
        self.name: str = ffi.string(lib.bpf_program__name(pointer)).decode()
        self.section: str = ffi.string(lib.bpf_program__section_name(pointer)).decode()

    def forget(self) -> None:
        """Called by the object when it is closed: the program is gone with it."""
        self._owned = None

    @property
    def _pointer(self) -> Any:
        if self._owned is None:
            raise UsageError(f"program {self.name} is gone: its object is closed")
        return self._owned

    @property
    def is_iterator(self) -> bool:
        """Whether it is one for `attach_iterator`."""
        return self.section.startswith("iter/")

    @property
    def autoload(self) -> bool:
        """Whether loading the object loads this program; set before load only."""
        return bool(library().bpf_program__autoload(self._pointer))

    @autoload.setter
    def autoload(self, load: bool) -> None:
        check(library().bpf_program__set_autoload(self._pointer, load), f"program {self.name}")

    @property
    def fd(self) -> int:
        """The program's fd, owned by the object."""
        return check(library().bpf_program__fd(self._pointer), f"program {self.name}")

    def attach(self) -> BpfLink:
        """Attaches to where its section's name says.

        Raises:
            UsageError: it says nothing of that: iterators and cgroup programs.
            KernelError: not supported, not permitted or failed.
        """
        if self.is_iterator or self.section.startswith("cgroup"):
            how = "attach_iterator" if self.is_iterator else "attach_cgroup"
            raise UsageError(f"program {self.name} in section {self.section}: use {how}")
        with messages() as log:
            pointer = library().bpf_program__attach(self._pointer)
            return BpfLink(take_pointer(pointer, self._attaching, "\n".join(log)), self.name)

    def attach_cgroup(self, cgroup: Path) -> BpfLink:
        """Attaches a cgroup program to a cgroup2 directory and all below it.

        Raises:
            OSError: there is no such directory.
            KernelError: not supported, not permitted or failed.
        """
        fd = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY)
        try:
            with messages() as log:
                pointer = library().bpf_program__attach_cgroup(self._pointer, fd)
                return BpfLink(take_pointer(pointer, self._attaching, "\n".join(log)), self.name)
        finally:
            os.close(fd)

    def attach_iterator(self, dtype: npt.DTypeLike, over: BpfMap | None = None) -> BpfIterator:
        """Attaches an ``iter/…`` program.

        Args:
            dtype: of the records that it writes.
            over: the map whose elements it walks, for ``iter/bpf_map_elem`` and
                ``iter/bpf_sk_storage_map``.

        Raises:
            KernelError: not supported, not permitted or failed.
        """
        options: Any = ffi.NULL
        if over is not None:
            info = ffi.new("unsigned int *", over.fd)
            options = ffi.new(
                "struct bpf_iter_attach_opts *",
                {
                    "sz": ffi.sizeof("struct bpf_iter_attach_opts"),
                    "link_info": info,
                    "link_info_len": MAP_FD_BYTES,
                },
            )
        with messages() as log:
            pointer = library().bpf_program__attach_iter(self._pointer, options)
            link = take_pointer(pointer, self._attaching, "\n".join(log))
        return BpfIterator(link, self.name, dtype)

    @property
    def _attaching(self) -> str:
        return f"attaching {self.section}"
