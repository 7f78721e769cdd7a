"""What two rows of one connection say together: the richer wins, else the newer."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from connscope.row.columns import COLUMNS_OF, Rows
from connscope.row.words import Group

__all__ = ("COMPARED", "COUNTERS", "FACTS", "merge_rows", "need_merge")

COUNTERS = ("bytes_sent", "bytes_received", "segments_sent", "segments_received", "retransmits")
"""They never fall."""

COMPARED = ("tier", "known", "exact", "socket_inode", "opened_ns", *COUNTERS)
"""What `need_merge` has to know of old rows."""

FACTS = (Group.IDENTITY, Group.ENDS, Group.OWNER, Group.LIFE, Group.JOIN)
"""What hardly changes while a connection lives, so that proof outweighs news. Of what changes all
the time, traffic and quality, only news is worth something."""

FACT_BITS = np.uint16(sum(FACTS))
STICKY = (
    *("socket_id", "subflow_of", "socket_inode", "role", "opened_ns", "closed_ns"),
    *("connect_us", "min_rtt_us", "rtt_us", "rtt_var_us"),
)
"""0 says nothing in these columns, whatever the row knows of their group."""

Mask = npt.NDArray[np.bool_]


def need_merge(old: dict[str, npt.NDArray[np.generic]], new: Rows) -> Mask:
    """Where the old row has something that the new one lacks; elsewhere the new one may replace it.

    Args:
        old: the columns `COMPARED` of the old rows.
        new: of the same connections.
    """
    mask: Mask = (old["tier"] != new["tier"]) | (old["known"] & ~new["known"] != 0)
    mask |= old["exact"] & ~new["exact"] & FACT_BITS != 0
    for column in ("socket_inode", "opened_ns"):
        mask |= (new[column] == 0) & (old[column] != 0)
    for column in COUNTERS:
        mask |= new[column] < old[column]
    return mask


def merge_rows(old: Rows, new: Rows) -> Rows:
    """Both rows of each connection as one; shape (n,), kind and time of the new ones.

    `connection_id` is the old one's: a connection keeps the id that it was given first.
    """
    merged = new.copy()
    for group, columns in COLUMNS_OF.items():
        keep = _is_old_better(old, new, group)
        if keep.any():
            where = slice(None) if keep.all() else keep  # a slice costs a fifth of a mask
            for column in columns:
                merged[column][where] = old[column][where]
            for column in ("known", "exact"):
                bit = np.uint16(group)
                merged[column][where] = merged[column][where] & ~bit | old[column][where] & bit
    for column in STICKY:
        _keep_where(merged, old, column, merged[column] == 0)
    _keep_where(merged, new, "state", new["known"] & np.uint16(Group.ENDS) != 0)
    fell = np.zeros(len(merged), np.bool_)
    for column in COUNTERS:
        less = merged[column] < old[column]
        _keep_where(merged, old, column, less)
        fell |= less
    merged["exact"][fell] &= ~np.uint16(
        Group.TRAFFIC
    )  # shown once, so it stays; but it is no proof
    merged["connection_id"] = old["connection_id"]
    return merged


def _keep_where(merged: Rows, kept: Rows, column: str, where: Mask) -> None:
    if where.any():
        merged[column][where] = kept[column][where]


def _is_old_better(old: Rows, new: Rows, group: Group) -> Mask:
    bit = np.uint16(group)
    old_known, new_known = old["known"] & bit != 0, new["known"] & bit != 0
    better: Mask = old_known & ~new_known
    if group in FACTS:
        better |= old_known & (old["exact"] & ~new["exact"] & bit != 0)
    return better
