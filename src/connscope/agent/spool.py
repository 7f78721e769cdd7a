"""Reports that no server has taken yet: bounded, and on disk while there is none."""

from __future__ import annotations

import contextlib
import os
import re
from collections import deque
from dataclasses import dataclass
from pathlib import Path

__all__ = ("Spool", "Spooled")

NAME = re.compile(r"(\d{20})-(\d{20})\.report")


@dataclass(slots=True)
class Spooled:
    """A report that waits.

    Attributes:
        session_ns: of the agent that made it.
        sequence: in its session.
        size: in bytes.
        content: None: it is on disk.
    """

    session_ns: int
    sequence: int
    size: int
    content: bytes | None = None

    @property
    def file_name(self) -> str:
        """Sorted as text they are in the order in which they were made."""
        return f"{self.session_ns:020}-{self.sequence:020}.report"


class Spool:
    """First in, first out; where there is no room the oldest give way.

    What an agent left behind that was killed is there again for the next one: the server takes each
    report once, whatever is sent twice.

    Args:
        directory: ours alone. What is not a report there is left alone.
        bytes_max: that all reports together may have.

    Attributes:
        dropped: how many gave way, or could not be written or read.
    """

    def __init__(self, directory: Path, bytes_max: int) -> None:
        self._directory, self._bytes_max = directory, bytes_max
        self._waiting = deque(_find(directory))
        self._bytes = sum(waiting.size for waiting in self._waiting)
        self._on_disk = False
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, session_ns: int, sequence: int, content: bytes) -> None:
        """Keeps a report; one that is larger than the spool is dropped."""
        spooled = Spooled(session_ns, sequence, len(content), content)
        if spooled.size > self._bytes_max:
            self.dropped += 1
            return
        while self._bytes + spooled.size > self._bytes_max:
            self.remove(self._waiting[0])
            self.dropped += 1
        self._waiting.append(spooled)
        self._bytes += spooled.size
        if self._on_disk:
            self._write(spooled)

    def keep_on_disk(self, on_disk: bool) -> None:
        """Whether what waits should outlive us: while no server takes it, yes."""
        self._on_disk = on_disk
        for spooled in list(self._waiting) if on_disk else ():
            self._write(spooled)

    def _write(self, spooled: Spooled) -> None:
        """Writes it if it is only in memory; what can not be written stays there."""
        path = self._directory / spooled.file_name
        unfinished = path.with_suffix(".part")
        try:
            if spooled.content is not None:
                unfinished.write_bytes(spooled.content)
                unfinished.rename(path)  # so that nobody finds half of one
                spooled.content = None
        except OSError:
            with contextlib.suppress(OSError):
                unfinished.unlink()

    def first(self) -> tuple[Spooled, bytes] | None:
        """The oldest one and what it says; None if there is none."""
        while self._waiting:
            spooled = self._waiting[0]
            try:
                content = spooled.content
                return spooled, content or (self._directory / spooled.file_name).read_bytes()
            except OSError:
                self.remove(spooled)
                self.dropped += 1
        return None

    def remove(self, spooled: Spooled) -> None:
        """It is not needed any more; it may have given way already."""
        if spooled not in self._waiting:
            return
        self._waiting.remove(spooled)
        self._bytes -= spooled.size
        if spooled.content is None:
            with contextlib.suppress(OSError):
                (self._directory / spooled.file_name).unlink()


def _find(directory: Path) -> list[Spooled]:
    found = list[Spooled]()
    with os.scandir(directory) as entries:
        for entry in entries:
            name = NAME.fullmatch(entry.name)
            if name and entry.is_file(follow_symlinks=False):
                found.append(Spooled(int(name[1]), int(name[2]), entry.stat().st_size))
    return sorted(found, key=lambda spooled: spooled.file_name)
