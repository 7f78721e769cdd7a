"""What is where in an encoded report: shared by those who write and who read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import msgspec

from connscope.report.report import Plain
from connscope.report.tables import ID_COLUMNS, OWNER_COLUMNS, ROW_COLUMNS

__all__ = (
    "LOOK_NUMBERS",
    "LOOK_TEXTS",
    "MAJOR",
    "MINOR",
    "PREAMBLE",
    "TABLES",
    "Details",
    "Preamble",
    "preamble",
    "version_of",
)

MAJOR, MINOR = 1, 1
"""A reader refuses another major; of another minor it leaves out columns that it does not know, and
what it misses is unknown."""

_MAGIC = b"\x50\x2a\x4d\x18\x08\0\0\0CONNSC"
"""A skippable frame of zstd with 8 bytes in it: tools for zstd read an encoded report as it is."""

PREAMBLE = len(_MAGIC) + 2
"""Bytes before the first frame that is compressed."""

LOOK_NUMBERS = {
    "sequence": "uint64",
    "base_sequence": "uint64",
    "session_ns": "uint64",
    "time_ns": "uint64",
    "wall_minus_boottime_ns": "int64",
    "interval_ns": "uint64",
    "tier": "uint8",
}
"""Columns of table ``look``; ``base_sequence`` is missing in a full report."""

LOOK_TEXTS = ("host_id", "host_name", "boot_id", "details")
"""Columns of table ``look``; ``details`` is JSON, see `Details`."""

TABLES: Mapping[str, Mapping[str, Any]] = {
    "look": {},
    "owners": OWNER_COLUMNS,
    "addresses": {},
    "open": ROW_COLUMNS,
    "ended": ROW_COLUMNS,
    "gone": ID_COLUMNS,
    "names": {},
}
"""The tables in their order, each an Arrow stream, and those of their columns that are cut into
bytes: ``pid`` is ``pid.0`` with the lowest byte, ``pid.1`` and so on."""


Certainty = Annotated[str, msgspec.Meta(pattern="^(exact|estimated|unknown)$")]


class Details(msgspec.Struct, omit_defaults=True):
    """What of a look has no column."""

    limits: tuple[str, ...] = ()
    losses: dict[str, Annotated[int, msgspec.Meta(ge=0, le=(1 << 62) - 1)]] = {}
    audit: dict[str, dict[str, Plain]] = {}
    groups: dict[str, Certainty] = {}


class Preamble(NamedTuple):
    """The version of an encoded report."""

    major: int
    minor: int


def preamble() -> bytes:
    """What an encoded report begins with."""
    return _MAGIC + bytes((MAJOR, MINOR))


def version_of(encoded: bytes) -> Preamble | None:
    """The version of what begins like an encoded report, else None."""
    if not encoded.startswith(_MAGIC) or len(encoded) < PREAMBLE:
        return None
    return Preamble(encoded[PREAMBLE - 2], encoded[PREAMBLE - 1])
