"""Both ends of a connection, when both are seen, become one.

Two ends belong together if each has the other's addresses and ports mirrored, and

- both know the initial sequence numbers of both sides, and these are mirrored too; or
- one of them does not, they are in the same network namespace of the same host, and no third one
  has these addresses and ports there; or
- the same on a host, whatever the namespace; or
- on two hosts, no third one has them anywhere, and each of the two addresses is used by one host
  only.

Otherwise they stay two, unless an address is translated between them, see `translated`. Addresses
that mean a machine itself (loopback, link-local) are compared within a namespace only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from connscope.row.columns import Rows
from connscope.row.words import Group
from connscope.server.addresses import means_itself, ordered_words
from connscope.server.keys import Integers, Keys, mixed

__all__ = ("Ends", "alone", "join_ends", "matched", "read_ends")

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Ends:
    """Connection ends, as far as matching looks at them; shape (n,) each.

    Attributes:
        tuple_key: the same for both ends of a connection.
        lower: the local end is the lower one, by address and port.
        isn_key: the same for both ends, if `has_isn`.
        has_isn: both initial sequence numbers are known.
        place: the namespace of the host.
        host: of which host.
        shared: one of the addresses is used by several hosts.
    """

    tuple_key: Keys
    lower: Mask
    isn_key: Keys
    has_isn: Mask
    place: Keys
    host: npt.NDArray[Any]
    shared: Mask


def read_ends(rows: Rows, hosts: npt.NDArray[Any], shared: Mask) -> Ends:
    """The ends that rows are.

    Args:
        rows: shape (n,), `ROW`.
        hosts: the number of the host of each.
        shared: as in `Ends`.
    """
    local, peer = ordered_words(rows["local_address"]), ordered_words(rows["peer_address"])
    local_port, peer_port = rows["local_port"], rows["peer_port"]
    lower = _is_lower(local, local_port, peer, peer_port)
    place = mixed(hosts, rows["netns"])
    bound = means_itself(rows["local_address"]) | means_itself(rows["peer_address"])
    mine, theirs = (*local, local_port), (*peer, peer_port)
    first = [np.where(lower, *values) for values in zip(mine, theirs, strict=True)]
    second = [np.where(lower, *values) for values in zip(theirs, mine, strict=True)]
    isn_local, isn_peer = rows["isn_local"], rows["isn_peer"]
    isns = (np.where(lower, isn_local, isn_peer), np.where(lower, isn_peer, isn_local))
    return Ends(
        tuple_key=mixed(rows["protocol"], np.where(bound, place, np.uint64(0)), *first, *second),
        lower=lower,
        isn_key=mixed(*isns),
        has_isn=rows["known"] & Group.JOIN.value != 0,
        place=place,
        host=hosts,
        shared=shared,
    )


def join_ends(parts: Iterable[Ends]) -> Ends:
    """The ends of all parts, one after the other."""
    found = list(parts)
    return Ends(
        *(np.concatenate([getattr(part, each.name) for part in found]) for each in fields(Ends))
    )


def matched(ends: Ends) -> tuple[Integers, Integers]:
    """Which ends belong together.

    All ends that have one of these `tuple_key` have to be among them. What comes out does not
    depend on their order.

    Returns:
        Places of the lower ends and of the others, each place at most once.
    """
    everyone = np.ones(len(ends.lower), np.bool_)
    free = everyone.copy()
    found = list[tuple[Integers, Integers]]()
    for keys, among, fits in (
        (mixed(ends.tuple_key, ends.isn_key), ends.has_isn, _any_fit),
        (mixed(ends.tuple_key, ends.place), free, _not_both_isn),
        (mixed(ends.tuple_key, ends.host), free, _not_both_isn),
        (ends.tuple_key, everyone, _only_candidates),
    ):
        lower, upper = alone(keys, among, ends.lower)
        fit = free[lower] & free[upper] & fits(ends, lower, upper)
        lower, upper = lower[fit], upper[fit]
        free[lower] = free[upper] = False
        found.append((lower, upper))
    lowers, uppers = zip(*found, strict=True)
    return np.concatenate(lowers), np.concatenate(uppers)


def alone(keys: Keys, among: Mask, lower: Mask) -> tuple[Integers, Integers]:
    """Pairs of a lower and an upper end whose key no third one has."""
    places = np.flatnonzero(among)
    if len(places) < 2:
        return places[:0], places[:0]
    order = places[np.argsort(keys[places], kind="stable")]
    keys = keys[order]
    same = keys[1:] == keys[:-1]
    padded = np.concatenate(([False], same, [False]))
    pair = np.flatnonzero(padded[1:-1] & ~padded[:-2] & ~padded[2:])
    first, second = order[pair], order[pair + 1]
    opposite = lower[first] != lower[second]
    first, second = first[opposite], second[opposite]
    is_lower = lower[first]
    return np.where(is_lower, first, second), np.where(is_lower, second, first)


def _any_fit(ends: Ends, lower: Integers, upper: Integers) -> Mask:
    return np.ones(len(lower), np.bool_)


def _not_both_isn(ends: Ends, lower: Integers, upper: Integers) -> Mask:
    """Where both know them, they would have matched by them."""
    fit: Mask = ~(ends.has_isn[lower] & ends.has_isn[upper])
    return fit


def _only_candidates(ends: Ends, lower: Integers, upper: Integers) -> Mask:
    return _not_both_isn(ends, lower, upper) & ~(ends.shared[lower] | ends.shared[upper])


def _is_lower(
    local: tuple[Keys, Keys],
    local_port: npt.NDArray[Any],
    peer: tuple[Keys, Keys],
    peer_port: npt.NDArray[Any],
) -> Mask:
    lower: Mask = (local[0] < peer[0]) | (
        (local[0] == peer[0])
        & ((local[1] < peer[1]) | ((local[1] == peer[1]) & (local_port < peer_port)))
    )
    return lower
