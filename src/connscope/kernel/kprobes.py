"""Probes at kernel functions, made through tracefs: with as many returns as asked for, and with a
count of the hits that the kernel missed.

perf_event_open(2) can make probes by itself, but those wait for no more than ten returns at a time
and tell nobody what they missed.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import itertools
import os
import re
import struct
from pathlib import Path

from connscope.errors import KernelError, NotPermittedError, NotSupportedError
from connscope.kernel.host.detached_mount import mount_detached
from connscope.kernel.libbpf import error_from
from connscope.kernel.program import BpfProgram
from connscope.kernel.resource import Resource

__all__ = ("Kprobe", "Kprobes", "parse_profile")

GROUP = re.compile(r"connscope_(\d+)_(\d+)_\d+")
RETURNS_MAX = 4096  # KRETPROBE_MAXACTIVE_MAX

PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241}
PERF_TYPE_TRACEPOINT = 2
PERF_ATTRIBUTE_BYTES = 64  # PERF_ATTR_SIZE_VER0
PERF_FLAG_FD_CLOEXEC = 8
ENABLE, SET_BPF = 0x2400, 0x40042408  # PERF_EVENT_IOC_…
NOBODY, ANY_CPU_WILL_DO = -1, 0

NO_KPROBES = "this kernel has no kprobes (CONFIG_KPROBE_EVENTS)"
_numbers = itertools.count()


class Kprobe(Resource):
    """A program that runs at a kernel function. Made by `Kprobes.attach`."""

    def __init__(self, owner: Kprobes, name: str, fd: int) -> None:
        self._owner, self._fd = owner, fd
        self.name = name

    def close(self) -> None:
        """Takes the probe away; a second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._owner.remove(self.name)


class Kprobes(Resource):
    """The probes of this process. Each user has a group of its own in tracefs.

    What a process that was killed has left there is disarmed, and removed by the next user.

    Raises:
        NotSupportedError: this kernel has no kprobes.
        NotPermittedError: tracefs may not be mounted or written to.
    """

    def __init__(self) -> None:
        self.group = f"connscope_{os.getpid()}_{_start_ticks(os.getpid())}_{next(_numbers)}"
        self._removed_missed = 0
        self._tracefs = self._events = -1
        try:
            self._tracefs = mount_detached("tracefs")
            flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
            self._events = os.open("kprobe_events", flags, dir_fd=self._tracefs)
        except OSError as error:
            self.close()
            raise _refusal(error) from error
        self._sweep()

    def attach(
        self, program: BpfProgram, function: str, *, returns: int = 0, name: str = ""
    ) -> Kprobe:
        """Runs a program at each call of a function, or at each return from it.

        Args:
            program: loaded, of type kprobe.
            function: the kernel's name of it.
            returns: 0: at calls; else at returns, of so many calls at a time.
            name: of the probe; by default the program's.

        Raises:
            NotSupportedError: there is no such function, or it may not be probed.
            KernelError: it may not be attached.
        """
        name = name or program.name
        kind = f"r{min(returns, RETURNS_MAX)}" if returns else "p"
        try:
            os.write(self._events, f"{kind}:{self.group}/{name} {function}\n".encode())
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EINVAL, errno.EADDRNOTAVAIL):
                reason = f"this kernel has no function {function} that may be probed"
                raise NotSupportedError(f"probe of {function}", reason) from error
            raise error_from(error.errno or 0, f"probe of {function}") from error
        try:
            number = int(self._read(f"events/{self.group}/{name}/id"))
            fd = _open_event(number)
        except OSError as error:
            self.remove(name)
            raise error_from(error.errno or 0, f"probe of {function}") from error
        try:
            fcntl.ioctl(fd, SET_BPF, program.fd)
            fcntl.ioctl(fd, ENABLE, 0)
        except OSError as error:
            os.close(fd)
            self.remove(name)
            raise error_from(error.errno or 0, f"attaching to {function}") from error
        return Kprobe(self, name, fd)

    def missed(self) -> int:
        """How many hits of the probes the kernel has missed so far: the probe was reached while
        another one was at work on the same CPU, or too many calls waited for their return."""
        return self._removed_missed + sum(self._profile().values())

    def defined(self) -> str:
        """All probes that tracefs knows, those of others too: a line for each."""
        return self._read("kprobe_events")

    def _profile(self) -> dict[str, int]:
        return parse_profile(self._read("kprobe_profile"), self._names())

    def _names(self) -> set[str]:
        try:
            folder = os.open(f"events/{self.group}", os.O_RDONLY, dir_fd=self._tracefs)
        except FileNotFoundError:
            return set()
        try:
            return set(os.listdir(folder)) - {"enable", "filter"}  # noqa: PTH208  a descriptor
        finally:
            os.close(folder)

    def remove(self, name: str) -> None:
        """Takes away a probe that is not attached any more."""
        if self._events < 0:
            return
        self._removed_missed += self._profile().get(name, 0)
        self._forget(f"{self.group}/{name}")

    def _forget(self, event: str) -> None:
        try:
            os.write(self._events, f"-:{event}\n".encode())
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno != errno.EBUSY:  # somebody else watches it: the next sweep removes it
                raise

    def _sweep(self) -> None:
        """Removes what processes that are gone have left."""
        for line in self.defined().splitlines():
            event = line.partition(":")[2].partition(" ")[0]
            owner = GROUP.match(event)
            if owner and _start_ticks(int(owner[1])) != int(owner[2]):
                self._forget(event)

    def _read(self, path: str) -> str:
        with os.fdopen(os.open(path, os.O_RDONLY, dir_fd=self._tracefs)) as file:
            return file.read()

    def close(self) -> None:
        """Lets go of tracefs; the probes are closed before. A second call does nothing."""
        for fd in (self._events, self._tracefs):
            if fd >= 0:
                os.close(fd)
        self._events = self._tracefs = -1


def parse_profile(text: str, names: set[str]) -> dict[str, int]:
    """The missed hits of those probes in the text of kprobe_profile: name, hits, missed."""
    lines = (line.split() for line in text.splitlines())
    return {fields[0]: int(fields[2]) for fields in lines if fields and fields[0] in names}


def _open_event(number: int) -> int:
    attribute = struct.pack("=IIQQ", PERF_TYPE_TRACEPOINT, PERF_ATTRIBUTE_BYTES, number, 1)
    content = ctypes.create_string_buffer(attribute.ljust(PERF_ATTRIBUTE_BYTES, b"\0"))
    libc = ctypes.CDLL(None, use_errno=True)
    call = PERF_EVENT_OPEN.get(os.uname().machine)
    if call is None:
        raise OSError(errno.ENOSYS, f"unknown machine {os.uname().machine}")
    flags = PERF_FLAG_FD_CLOEXEC
    fd = int(libc.syscall(call, content, NOBODY, ANY_CPU_WILL_DO, -1, flags))
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return fd


def _start_ticks(pid: int) -> int:
    """When the process began; 0 if there is none."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2]
    except OSError:
        return 0
    return int(after_name.split()[19])


def _refusal(error: OSError) -> KernelError:
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENOSYS):
        return NotSupportedError("kprobes", NO_KPROBES)
    if error.errno in (errno.EPERM, errno.EACCES):
        return NotPermittedError("kprobes", "tracefs may not be opened", ("CAP_SYS_ADMIN",))
    return error_from(error.errno or 0, "kprobes")
