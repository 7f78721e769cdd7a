"""Network namespaces: which there are, which one a process is in, and work done inside of one."""

from __future__ import annotations

import ctypes
import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connscope.errors import FailedError, NotPermittedError
from connscope.kernel.host.exhaustion import is_exhausted
from connscope.kernel.host.mounts import parse_mounts

__all__ = ("entered_network_namespace", "find_network_namespaces", "network_namespace")

PROC = Path("/proc")
CLONE_NEWNET = 0x40000000
NETWORK_LINK = re.compile(r"net:\[(\d+)\]")


def network_namespace(pid: int, proc: Path = PROC) -> int:
    """The inode of a process's network namespace, the number that a row's ``netns`` has.

    Raises:
        OSError: the process is gone, or may not be looked at.
    """
    return (proc / str(pid) / "ns/net").stat().st_ino


def find_network_namespaces(proc: Path = PROC) -> dict[int, Path]:
    """The network namespaces that have a process or are mounted somewhere: inode → file to enter.

    Those of processes that may not be looked at are left out, and those that nothing but an open fd
    or a socket holds.

    Raises:
        OSError: there are not enough descriptors left to know all of them.
    """
    found, mounted, mount_namespaces = dict[int, str](), dict[int, Path](), set[int]()
    # A Path for each of 10,000 processes takes longer than asking the kernel about them.
    root = os.open(proc, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        pids = (name for name in os.listdir(root) if name.isdecimal())  # noqa: PTH208  an fd
        for process in ("self", *pids):  # we ourselves will not end meanwhile
            try:
                found.setdefault(_inode(f"{process}/ns/net", root), process)
                mount_namespace = _inode(f"{process}/ns/mnt", root)
                if mount_namespace not in mount_namespaces:
                    mounted |= _mounted_network_namespaces(proc / process)
                    mount_namespaces.add(mount_namespace)
            except OSError as error:
                if is_exhausted(error):
                    raise
                continue  # it has ended, or may not be looked at
    finally:
        os.close(root)
    return mounted | {inode: proc / process / "ns/net" for inode, process in found.items()}


def _inode(path: str, root: int) -> int:
    return os.stat(path, dir_fd=root).st_ino


def _mounted_network_namespaces(process: Path) -> dict[int, Path]:
    """Those that a process sees mounted, as ``ip netns add`` leaves them."""
    text = (process / "mountinfo").read_text(errors="surrogateescape")
    links = [(NETWORK_LINK.fullmatch(mount.root), mount.point) for mount in parse_mounts(text)]
    return {
        int(link[1]): process / "root" / point.relative_to("/") for link, point in links if link
    }


@contextmanager
def entered_network_namespace(path: Path) -> Iterator[None]:
    """This thread is in a network namespace while the block runs; nothing to do for its own.

    Args:
        path: as `find_network_namespaces` gives it.

    Raises:
        NotPermittedError: CAP_SYS_ADMIN is missing.
        FileNotFoundError: the namespace is gone.
        OSError: it can not be entered; the thread is where it was.
        FailedError: the thread can not go back to its own.
    """
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        target = os.open(path, os.O_RDONLY)
        try:
            is_own = os.path.sameopenfile(own, target)
            if not is_own:
                _set_network_namespace(target)
        finally:
            os.close(target)
        try:
            yield
        finally:
            if not is_own:
                _return_to(own)
    finally:
        os.close(own)


def _return_to(own: int) -> None:
    try:
        _set_network_namespace(own)
    except (OSError, NotPermittedError) as error:
        what = "going back to the own network namespace"
        raise FailedError(what, str(error), getattr(error, "errno", None) or 0) from error


def _set_network_namespace(fd: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)  # os.setns came in Python 3.12
    if not libc.setns(fd, CLONE_NEWNET):
        return
    number = ctypes.get_errno()
    if number == errno.EPERM:
        what, missing = "entering a network namespace", ("CAP_SYS_ADMIN",)
        raise NotPermittedError(what, "CAP_SYS_ADMIN is missing", missing)
    raise OSError(number, os.strerror(number))
