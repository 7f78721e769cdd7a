"""Reports of many hosts, or of one host from many sides, as one picture.

The order in which they are merged makes no difference, nor does merging one of them twice: what is
kept of anything is the greatest of what was told, and greater is first of all later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from connscope.report.report import Look, Report, by_cookie
from connscope.row.columns import Rows

__all__ = ("GONE", "HostKey", "Picture", "merge", "picture_of")

HostKey = tuple[str, str]
"""``host_id`` and ``boot_id``."""

NameKey = tuple[int, int, str]

GONE = np.dtype([("connection_id", np.uint64), ("time_ns", np.uint64)])
"""A connection that was seen to be there no more, and when."""

Records = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]
Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """What is known of one boot of one host.

    Attributes:
        look: the last one.
        full_ns: the time of the last full report, 0 before there is one: what is older than that
            and was not told again is not there any more.
        open: `ROW`, in the order of `by_cookie`, one for each connection.
        gone: `GONE`, in the same order, since `full_ns`.
        ended: `ROW`, in the same order, one for each connection; these are in neither of the two.
        names: when each was told, and the text.
    """

    look: Look
    full_ns: int
    open: Rows
    gone: Records
    ended: Rows
    names: Mapping[NameKey, tuple[int, str]]


def picture_of(report: Report) -> Mapping[HostKey, Picture]:
    """A report as what is merged."""
    look = report.look
    gone = np.empty(len(report.gone), GONE)
    gone["connection_id"], gone["time_ns"] = report.gone, look.time_ns
    names = {
        (name.pid, name.process_start_ns, name.what): (look.time_ns, name.text)
        for name in report.names
    }
    ended = _greatest(report.ended)
    full_ns = look.time_ns if report.full else 0
    picture = Picture(look, full_ns, report.open, gone, ended, names)
    return {(look.host_id, look.boot_id): picture}


def merge(
    some: Mapping[HostKey, Picture], others: Mapping[HostKey, Picture]
) -> Mapping[HostKey, Picture]:
    """Both together; neither is changed."""
    return _union(some, others, _merged)


def _merged(one: Picture, other: Picture) -> Picture:
    full_ns = max(one.full_ns, other.full_ns)
    ended = _greatest(np.concatenate((one.ended, other.ended)))
    open_rows = _standing(np.concatenate((one.open, other.open)), full_ns, ended)
    gone = _standing(np.concatenate((one.gone, other.gone)), full_ns, ended)
    is_open, is_gone = _latest(open_rows, gone)
    return Picture(
        look=max(one.look, other.look, key=_rank),
        full_ns=full_ns,
        open=open_rows.compress(is_open),
        gone=gone.compress(is_gone),
        ended=ended,
        names=_union(one.names, other.names, max),
    )


def _standing(records: Records, full_ns: int, ended: Rows) -> Records:
    """The greatest of each connection that has not ended, and that no full report left out."""
    fresh = records["time_ns"] >= full_ns
    fresh &= ~np.isin(records["connection_id"], ended["connection_id"])
    return _greatest(records.compress(fresh))


def _latest(open_rows: Rows, gone: Records) -> tuple[Mask, Mask]:
    """Which of both are the last word on a connection; who sees it is right in the same moment."""
    both = [np.concatenate((open_rows[name], gone[name])) for name in GONE.names or ()]
    keys, times = by_cookie(both[0]), both[1]
    seen = np.arange(len(keys)) < len(open_rows)
    order = np.lexsort((seen, times, keys))
    last = np.zeros(len(keys), np.bool_)
    last[order[_is_last(keys[order])]] = True
    return last[: len(open_rows)], last[len(open_rows) :]


def _greatest(records: Records) -> Records:
    """Of each connection the latest, of those of one time the one with the greatest bytes."""
    keys, times = by_cookie(records["connection_id"]), records["time_ns"]
    order = np.lexsort((times, keys))
    keys, times, records = keys[order], times[order], records.take(order)
    words = records.view(np.uint64).reshape(len(records), records.itemsize // 8)
    tied = np.flatnonzero((keys[1:] == keys[:-1]) & (times[1:] == times[:-1]))
    if (words[tied] != words[tied + 1]).any():
        order = np.lexsort((*words.T, times, keys))
        keys, records = keys[order], records.take(order)
    return records.compress(_is_last(keys))


def _is_last(keys: npt.NDArray[Any]) -> Mask:
    """Which of sorted keys are followed by another one."""
    return np.append(keys[1:] != keys[:-1], True)[: len(keys)]


def _rank(look: Look) -> tuple[int, int, bytes]:
    return look.time_ns, look.session_ns, msgspec.json.encode(look, order="sorted")


def _union(
    some: Mapping[Key, Value], others: Mapping[Key, Value], both: Callable[[Value, Value], Value]
) -> Mapping[Key, Value]:
    merged = dict(some)
    for key, value in others.items():
        merged[key] = both(merged[key], value) if key in merged else value
    return merged
