"""The facts of this machine that decide how connscope can capture."""

from __future__ import annotations

import resource
from dataclasses import dataclass

from connscope.errors import NotSupportedError
from connscope.kernel.host.capabilities import BITS, held_capabilities
from connscope.kernel.host.lockdown import read_lockdown
from connscope.kernel.host.mounts import find_mounts
from connscope.kernel.host.namespaces import in_initial_pid_namespace
from connscope.kernel.host.release import read_release
from connscope.kernel.libbpf import ffi, library

__all__ = ("Machine", "look_at_machine")

FILE_SYSTEMS = ("cgroup2", "tracefs", "bpf", "securityfs", "debugfs")


@dataclass(frozen=True, slots=True)
class Machine:
    """What we read, nothing inferred.

    Attributes:
        kernel: release.
        architecture: as uname says it.
        btf: the kernel brings its types.
        lockdown: ``none``, ``integrity``, ``confidentiality`` or empty if it can not be known.
        libbpf: version, empty if there is none.
        capabilities: those held, of the ones connscope ever asks for.
        missing_capabilities: the others.
        mounts: file system type → mount point, empty if not mounted.
        initial_pid_namespace: pids here are the pids of the whole machine.
        memlock_bytes: RLIMIT_MEMLOCK, -1 for no limit; matters before 5.11 only.
    """

    kernel: str
    architecture: str
    btf: bool
    lockdown: str
    libbpf: str
    capabilities: tuple[str, ...]
    missing_capabilities: tuple[str, ...]
    mounts: dict[str, str]
    initial_pid_namespace: bool
    memlock_bytes: int


def look_at_machine() -> Machine:
    """Reads everything; needs no privileges."""
    release, held = read_release(), held_capabilities()
    return Machine(
        kernel=release.name,
        architecture=release.machine,
        btf=release.has_btf,
        lockdown=read_lockdown(),
        libbpf=_libbpf_version(),
        capabilities=tuple(sorted(held)),
        missing_capabilities=tuple(sorted(set(BITS) - held)),
        mounts={name: _first_mount(name) for name in FILE_SYSTEMS},
        initial_pid_namespace=in_initial_pid_namespace(),
        memlock_bytes=resource.getrlimit(resource.RLIMIT_MEMLOCK)[0],
    )


def _first_mount(file_system: str) -> str:
    mounts = find_mounts(file_system)
    return str(mounts[0]) if mounts else ""


def _libbpf_version() -> str:
    try:
        version: str = ffi.string(library().libbpf_version_string()).decode()
    except NotSupportedError:
        return ""
    return version.removeprefix("v")
