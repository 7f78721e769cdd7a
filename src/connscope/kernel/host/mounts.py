"""Where kernel file systems are mounted: never assumed, always read from mountinfo; see proc(5)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

__all__ = ("find_cgroup2", "find_mounts", "parse_mounts")

MOUNTINFO = Path("/proc/self/mountinfo")
ROOT = Path("/")


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of mountinfo.

    Attributes:
        number: its name there.
        parent: the number of the mount that it hangs in.
        point: where it is mounted.
        file_system: its type, e.g. ``cgroup2``.
        root: which directory of that file system is mounted: ``/`` unless a part of it.
    """

    number: int
    parent: int
    point: Path
    file_system: str
    root: str


def find_mounts(file_system: str, mountinfo: Path = MOUNTINFO) -> list[Path]:
    """The mount points of a file system type, e.g. ``tracefs``, in the order they were mounted.

    Those of the whole file system come before those of a part of it.
    """
    mounts = parse_mounts(mountinfo.read_text(errors="surrogateescape"))
    found = [mount for mount in mounts if mount.file_system == file_system]
    found.sort(key=lambda mount: mount.root != "/")
    return [mount.point for mount in found]


def find_cgroup2(mountinfo: Path = MOUNTINFO) -> Path | None:
    """The cgroup2 root as mounted: ``/sys/fs/cgroup``, or below it on a hybrid of v1 and v2."""
    mounts = find_mounts("cgroup2", mountinfo)
    return mounts[0] if mounts else None


def parse_mounts(text: str) -> list[Mount]:
    """The mounts that a path leads to; senseless lines and what is mounted over are left out."""
    mounts = [mount for line in text.split("\n") if (mount := _parse_line(line))]
    hidden = _hidden(mounts)
    return [mount for mount in mounts if mount.number not in hidden]


def _parse_line(line: str) -> Mount | None:
    """``36 35 98:0 /root /point rw,noatime master:1 - ext3 /dev/sda rw``."""
    before, dash, after = line.partition(" - ")
    fields, kind = before.split(" "), after.split(" ")[0]
    if not dash or not kind or len(fields) < 6:
        return None
    if not (fields[0].isdecimal() and fields[1].isdecimal() and fields[4].startswith("/")):
        return None
    point, root = Path(_unescape(fields[4])), _unescape(fields[3])
    return Mount(int(fields[0]), int(fields[1]), point, kind, root)


def _unescape(text: str) -> str:
    r"""Space, tab, newline and backslash are written as ``\040`` and the like."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _hidden(mounts: list[Mount]) -> set[int]:
    """Numbers of the mounts that no path leads to, because another was mounted over them."""
    point_of = {mount.number: mount.point for mount in mounts}
    children: dict[int, list[int]] = {}
    for mount in mounts:
        children.setdefault(mount.parent, []).append(mount.number)
    points_in = {
        parent: {point_of[number] for number in numbers} for parent, numbers in children.items()
    }
    found, covered = set[int](), list[int]()
    for mount in mounts:
        on_top = points_in.get(mount.number, set()) & {mount.point}
        around = points_in[mount.parent].intersection(mount.point.parents)
        # A namespace's root may be named as its own parent, and / is above everything.
        if (on_top | around) - {ROOT}:
            covered.append(mount.number)
    while covered:
        number = covered.pop()
        if number in found:
            continue
        found.add(number)
        # What hangs in a covered mount is hidden with it, but not what covers it.
        hanging = children.get(number, [])
        covered += [child for child in hanging if point_of[child] != point_of[number]]
    return found
