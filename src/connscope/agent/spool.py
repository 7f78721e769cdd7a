"""Reports that no server has taken yet: bounded, and on disk while there is none."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from connscope.kernel.host.clock import boottime_ns

__all__ = ("Spool", "Spooled", "is_spool_file")

NAME = re.compile(r"([0-9]{20})\.(report|part)")
MEMORY_BYTES_MAX = 8 << 20


def is_spool_file(name: str) -> bool:
    """Whether a file of that name is one of a spool."""
    return NAME.fullmatch(name) is not None


@dataclass(slots=True, eq=False)
class Spooled:
    """A report that waits.

    Attributes:
        number: one more than that of the one before it. Not of its session or time: the clocks of
            two boots have nothing to do with each other, and what was first has to go first.
        size: in bytes.
        put_ns: when it began to wait, on the clock of this boot; before 0 if it was before it.
        content: None: it is on disk.
    """

    number: int
    size: int
    put_ns: int
    content: bytes | None = None

    @property
    def file_name(self) -> str:
        """Of the file that it has on disk."""
        return f"{self.number:020}.report"

    def age_s(self) -> float:
        """How long it has waited, whatever was done to the time of day meanwhile."""
        return (boottime_ns() - self.put_ns) / 1e9


class Spool:
    """First in, first out; where there is no room the oldest give way.

    What an agent left behind that was killed is there again for the next one: the server takes each
    report once, whatever is sent twice.

    Args:
        directory: ours alone. What is not a report there is left alone.
        bytes_max: that all reports together may have.
        memory_bytes_max: that those of them may have that are not on disk.

    Attributes:
        dropped: how many gave way, or could not be written or read.
    """

    def __init__(
        self, directory: Path, bytes_max: int, memory_bytes_max: int = MEMORY_BYTES_MAX
    ) -> None:
        self._directory = directory
        self._bytes_max, self._memory_bytes_max = bytes_max, memory_bytes_max
        self._waiting = deque(_find(directory))
        self._next = self._waiting[-1].number + 1 if self._waiting else 0
        self._bytes = sum(waiting.size for waiting in self._waiting)
        self._memory_bytes = 0
        self._on_disk = False
        self.dropped = 0
        self._keep_in_bounds()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, content: bytes) -> None:
        """Keeps a report; one that is larger than the spool is dropped."""
        if len(content) > self._bytes_max:
            self.dropped += 1
            return
        spooled = Spooled(self._next, len(content), boottime_ns(), content)
        self._next += 1
        self._waiting.append(spooled)
        self._bytes += spooled.size
        self._memory_bytes += spooled.size
        if self._on_disk:
            self._write(spooled)
        self._keep_in_bounds()

    def _keep_in_bounds(self) -> None:
        while self._bytes > self._bytes_max:
            self._drop(self._waiting[0])
        if self._memory_bytes > self._memory_bytes_max:
            self._write_all()
        while self._memory_bytes > self._memory_bytes_max:  # the disk takes no more
            self._drop(next(each for each in self._waiting if each.content is not None))

    def _drop(self, spooled: Spooled) -> None:
        self.remove(spooled)
        self.dropped += 1

    def keep_on_disk(self, on_disk: bool) -> None:
        """Whether what waits should outlive us: while no server takes it, yes."""
        self._on_disk = on_disk
        if on_disk:
            self._write_all()

    def _write_all(self) -> None:
        for spooled in self._waiting if self._memory_bytes else ():
            if spooled.content is not None and not self._write(spooled):
                return

    def _write(self, spooled: Spooled) -> bool:
        """Writes one that is in memory; what can not be written stays there."""
        path = self._directory / spooled.file_name
        unfinished = path.with_suffix(".part")
        try:
            unfinished.write_bytes(spooled.content or b"")
            unfinished.rename(path)  # so that nobody finds half of one
        except OSError:
            with contextlib.suppress(OSError):
                unfinished.unlink()
            return False
        spooled.content = None
        self._memory_bytes -= spooled.size
        return True

    def first(self) -> tuple[Spooled, bytes] | None:
        """The oldest one and what it says; None if there is none."""
        while self._waiting:
            spooled = self._waiting[0]
            if spooled.content is not None:
                return spooled, spooled.content
            try:
                return spooled, self._read(spooled)
            except OSError:
                self._drop(spooled)
        return None

    def _read(self, spooled: Spooled) -> bytes:
        with (self._directory / spooled.file_name).open("rb") as file:
            return file.read(spooled.size)

    def remove(self, spooled: Spooled) -> None:
        """It is not needed any more; it may have given way already."""
        try:
            self._waiting.remove(spooled)
        except ValueError:
            return
        self._bytes -= spooled.size
        if spooled.content is not None:
            self._memory_bytes -= spooled.size
            return
        with contextlib.suppress(OSError):
            (self._directory / spooled.file_name).unlink()


def _find(directory: Path) -> list[Spooled]:
    """The reports there; what somebody did not finish is removed."""
    found = list[Spooled]()
    now_ns, wall_ns = boottime_ns(), time.time_ns()
    with os.scandir(directory) as entries:
        for entry in entries:
            name = NAME.fullmatch(entry.name)
            if not name or not entry.is_file(follow_symlinks=False):
                continue
            if name[2] == "part":
                with contextlib.suppress(OSError):
                    Path(entry.path).unlink()
                continue
            status = entry.stat()
            age_ns = max(0, wall_ns - status.st_mtime_ns)
            found.append(Spooled(int(name[1]), status.st_size, now_ns - age_ns))
    return sorted(found, key=lambda spooled: spooled.number)
