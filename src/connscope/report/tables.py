"""A report as tables of unsigned columns, each thing said once, and back.

What follows from other columns is told as the difference to what would follow: nearly always zero,
and a column of zeros is not sent. ``docs/report.md`` is this for whoever has other tools.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.errors import ReportError
from connscope.report.numbers import Numbers, steps, summed
from connscope.report.report import Ids
from connscope.row.columns import NO_UID, ROW, Rows
from connscope.row.words import Kind

__all__ = (
    "ADDRESS_BYTES",
    "ENDS",
    "ID_COLUMNS",
    "OWNER",
    "OWNER_COLUMNS",
    "ROW_COLUMNS",
    "distinct",
    "id_columns",
    "ids_of",
    "owner_columns",
    "owners_of",
    "row_columns",
    "rows_of",
)

Columns = dict[str, Numbers]

OWNER_NAMES = ("process_start_ns", "cgroup_id", "netns", "pid", "uid")
ADDRESS_BYTES = 16
ENDS = ("local_address", "peer_address")

OWNER = np.dtype([(name, ROW[name]) for name in (*OWNER_NAMES, "comm")])
"""Who owns a socket and where it lives: few of these make all rows."""

OWNER_COLUMNS: dict[str, np.dtype[Any]] = {name: ROW[name] for name in OWNER_NAMES}
"""Types of `owner_columns`; ``comm`` is told beside them."""

ID_COLUMNS: dict[str, np.dtype[Any]] = {"cookie": np.dtype(np.uint64), "tag": np.dtype(np.uint16)}
"""Types of `id_columns`."""

_ELSEWHERE = {"connection_id", "time_ns", *OWNER.names, *ENDS}  # type: ignore[misc] # it has names
_PLAIN = tuple(name for name in ROW.names or () if name not in _ELSEWHERE)
_REFERENCES = dict.fromkeys(("owner", *ENDS), np.dtype(np.uint32))
_STEPS = ("opened_ns", "socket_inode")

ROW_COLUMNS: dict[str, np.dtype[Any]] = {
    **ID_COLUMNS,
    **_REFERENCES,
    **{name: ROW[name] for name in _PLAIN},
    "opened_ns": np.dtype(np.uint64),
    "socket_inode": np.dtype(np.uint64),
    "age_ns": np.dtype(np.uint64),
}
"""Types of `row_columns`: steps of a narrow column need more room than its values."""

COOKIE_BITS = np.uint64(48)
COOKIE_MASK = (np.uint64(1) << COOKIE_BITS) - np.uint64(1)
MAPPED = np.frombuffer(b"\0\0\xff\xff", np.uint32)[0]
SLOT_BITS = 16
SLOTS = 1 << SLOT_BITS
FNV = np.uint64(0x100000001B3)
SHIFT = np.uint64(29)


def id_columns(ids: Ids) -> Columns:
    """Ids as steps of cookies, and tags."""
    return {"cookie": steps(ids & COOKIE_MASK), "tag": (ids >> COOKIE_BITS).astype(np.uint16)}


def ids_of(columns: Mapping[str, Numbers]) -> Ids:
    """The ids of `id_columns`.

    Raises:
        ReportError: a cookie is out of range.
    """
    cookies = summed(columns["cookie"], np.uint64)
    if cookies.max(initial=0) > COOKIE_MASK:
        raise ReportError(f"a cookie has more than {COOKIE_BITS} bits")
    ids: Ids = cookies | columns["tag"].astype(np.uint64) << COOKIE_BITS
    return ids


def row_columns(rows: Rows, time_ns: int, references: Mapping[str, Numbers]) -> Columns:
    """Rows as columns by name, see `ROW_COLUMNS`.

    Args:
        rows: to be told.
        time_ns: of the look.
        references: numbers of the ``owner`` and of the addresses.
    """
    columns = {**id_columns(rows["connection_id"]), **references}
    columns["tag"] ^= _tag(rows["isn_local"])
    columns |= {name: np.ascontiguousarray(rows[name]) for name in _PLAIN}
    columns |= {name: columns[name] ^ values for name, values in _following(rows).items()}
    columns |= {name: steps(columns[name]) for name in _STEPS}
    columns["age_ns"] = np.uint64(time_ns) - rows["time_ns"]
    return columns


def rows_of(
    columns: Mapping[str, Numbers],
    time_ns: int,
    owners: npt.NDArray[Any],
    addresses: npt.NDArray[np.uint8],
) -> Rows:
    """The rows of `row_columns`.

    Args:
        columns: all of `ROW_COLUMNS`, of one length.
        time_ns: of the look.
        owners: `OWNER`, what ``owner`` refers to.
        addresses: shape (n, 16), what the ends refer to.

    Raises:
        ReportError: something is out of range.
    """
    tag = columns["tag"] ^ _tag(columns["isn_local"])
    rows = np.zeros(len(tag), ROW)
    rows["connection_id"] = ids_of({"cookie": columns["cookie"], "tag": tag})
    rows["time_ns"] = np.uint64(time_ns) - columns["age_ns"]
    owner = _referred(owners, columns["owner"], "owner")
    for name in OWNER.names or ():
        rows[name] = owner[name]
    for name in ENDS:
        rows[name] = _referred(addresses, columns[name], "address")
    for name in _PLAIN:
        rows[name] = summed(columns[name], ROW[name]) if name in _STEPS else columns[name]
    for name, values in _following(rows).items():
        rows[name] ^= values
    return rows


def owner_columns(owners: npt.NDArray[Any]) -> Columns:
    """Owners as columns by name, see `OWNER_COLUMNS`; a user that is missing is no user."""
    columns = {name: np.ascontiguousarray(owners[name]) for name in OWNER_NAMES}
    return {**columns, "uid": columns["uid"] ^ np.uint32(NO_UID)}


def owners_of(columns: Mapping[str, Numbers], comms: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The owners of `owner_columns`, as `OWNER`; `comms` are 16 bytes each."""
    owners = np.zeros(len(comms), OWNER)
    for name in OWNER_NAMES:
        owners[name] = columns[name]
    owners["uid"] ^= np.uint32(NO_UID)
    owners["comm"] = comms
    return owners


def distinct(records: npt.NDArray[Any]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.uint32]]:
    """Where each different record is first, and for each record which of those it is.

    Args:
        records: contiguous, shape (n,), a multiple of four bytes each.
    """
    if not len(records):
        return np.empty(0, np.intp), np.empty(0, np.uint32)
    word = np.uint32 if records.itemsize % 8 else np.uint64
    words = records.view(word).reshape(len(records), -1)
    like = _alike(words)
    is_first = np.zeros(len(records), np.bool_)
    is_first[like] = True
    numbers = np.cumsum(is_first, dtype=np.uint32) - np.uint32(1)
    return np.flatnonzero(is_first), numbers[like]


def _alike(words: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """For each record the place of one that is equal, the same for all that are.

    Each takes a slot by its hash and the last one in it stands for all that equal it; the others
    try again by other bits. Who makes them collide on purpose is answered by a sort.
    """
    mixed = np.zeros(len(words), np.uint64)
    for column in words.T:
        mixed = (mixed ^ column) * FNV
        mixed ^= mixed >> SHIFT
    like = np.empty(len(words), np.intp)
    slots = np.empty(SLOTS, np.intp)
    rest = np.arange(len(words))
    for shift in range(0, 64, SLOT_BITS):
        places = ((mixed[rest] >> np.uint64(shift)) & np.uint64(SLOTS - 1)).astype(np.intp)
        slots[places] = rest
        like[rest] = found = slots[places]
        other = np.zeros(len(rest), np.bool_)
        for column in words.T:
            other |= column[found] != column[rest]
        rest = rest[other]
        if not len(rest):
            return like
    whole = np.ascontiguousarray(words[rest]).view(f"V{words.shape[1] * words.itemsize}")[:, 0]
    _, first, which = np.unique(whole, return_index=True, return_inverse=True)
    like[rest] = rest[first][which]
    return like


def _following(rows: Rows) -> Columns:
    """What columns are if they follow from others, as they nearly always do."""
    words = rows["local_address"].view(np.uint32)
    is_mapped = (words[:, 0] | words[:, 1] | (words[:, 2] ^ MAPPED)) == 0
    ended = (rows["kind"] == Kind.CLOSED.value) | (rows["kind"] == Kind.FAILED.value)
    return {
        "socket_id": rows["connection_id"] & COOKIE_MASK,
        "family": np.where(is_mapped, np.uint8(4), np.uint8(6)),
        "exact": rows["known"],
        "owner_evidence": rows["role"],
        "closed_ns": np.where(ended, rows["time_ns"], np.uint64(0)),
    }


def _tag(isn: Numbers) -> Numbers:
    """The tag that a connection has by its ISN, see ``bpf/connection_id.bpf.h``."""
    tag: Numbers = (isn ^ (isn >> np.uint32(16))).astype(np.uint16)
    return tag


def _referred(told: npt.NDArray[Any], numbers: Numbers, what: str) -> npt.NDArray[Any]:
    if len(numbers) and numbers.max() >= len(told):
        raise ReportError(f"{what} {numbers.max()} of {len(told)} is referred to")
    referred: npt.NDArray[Any] = told.take(numbers, axis=0)
    return referred
