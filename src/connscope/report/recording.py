"""Reports one after the other in a file, to be shown again."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import IO

from connscope.errors import ReportError

__all__ = ("read_reports", "write_report")

MAGIC = b"connscope recording 1\n"
LENGTH = struct.Struct("<Q")
LONGEST = 1 << 30


def write_report(file: IO[bytes], encoded: bytes) -> None:
    """Adds a report to a recording; the first one makes it a recording."""
    if not file.tell():
        file.write(MAGIC)
    file.write(LENGTH.pack(len(encoded)) + encoded)
    file.flush()


def read_reports(file: IO[bytes]) -> Iterator[bytes]:
    """The encoded reports of a recording; one that was cut off at the end is left out.

    Raises:
        ReportError: it is no recording.
    """
    if file.read(len(MAGIC)) != MAGIC:
        raise ReportError("this is no recording of connscope: `launch --record FILE` makes one")
    while len(length := file.read(LENGTH.size)) == LENGTH.size:
        (size,) = LENGTH.unpack(length)
        if size > LONGEST:
            raise ReportError(f"the recording is damaged: it has a report of {size:,} bytes")
        encoded = file.read(size)
        if len(encoded) < size:
            return
        yield encoded
