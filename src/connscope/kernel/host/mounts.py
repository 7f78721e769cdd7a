"""Where kernel file systems are mounted: never assumed, always read from mountinfo."""

from __future__ import annotations

from pathlib import Path

__all__ = ("find_cgroup2", "find_mounts")

MOUNTINFO = Path("/proc/self/mountinfo")


def find_mounts(file_system: str, mountinfo: Path = MOUNTINFO) -> list[Path]:
    """The mount points of a file system type, e.g. ``tracefs``, in the order they were mounted."""
    found = []
    for line in mountinfo.read_text(errors="surrogateescape").splitlines():
        fields, dash, rest = line.partition(" - ")
        if dash and rest.split(" ", 1)[0] == file_system:
            found.append(Path(_unescape(fields.split(" ")[4])))
    return found


def find_cgroup2(mountinfo: Path = MOUNTINFO) -> Path | None:
    """The cgroup2 root as mounted: ``/sys/fs/cgroup``, or below it on a hybrid of v1 and v2."""
    mounts = find_mounts("cgroup2", mountinfo)
    return mounts[0] if mounts else None


def _unescape(path: str) -> str:
    r"""Undoes the kernel's octal escapes: ``\040`` is a blank."""
    for escaped, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(escaped, character)
    return path
