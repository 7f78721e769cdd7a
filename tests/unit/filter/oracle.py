"""Filters that hypothesis draws, each with a slow judge of one row as JSON has it.

The judge knows neither the parser nor the conditions: a term is drawn together with what it means.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

from connscope.row.columns import ROW, Rows
from connscope.row.words import ClosedBy, Failure, Kind, Protocol, Role, State, word
from tests.unit.sample_rows import one_row

Judge = Callable[[dict[str, Any]], bool]
NOW_NS = 10**12
"""Also the time on the wall: rows of the oracle are judged with the difference 0."""

NUMBERS = {
    "pid": ("pid",),
    "user": ("uid",),
    "netns": ("netns",),
    "port": ("local_port", "peer_port"),
    "remote.port": ("peer_port",),
    "tx": ("bytes_sent",),
    "unread": ("unread_bytes",),
    "retrans": ("retransmits",),
    "rtt_us": ("rtt_us",),
    "rtt_var_us": ("rtt_var_us",),
    "connect_us": ("connect_us",),
    "queue": ("queue_length",),
    "inode": ("socket_inode",),
}
ENUMS = {
    "kind": ("kind", Kind),
    "state": ("state", State),
    "proto": ("protocol", Protocol),
    "role": ("role", Role),
    "failed": ("failure", Failure),
    "closed_by": ("closed_by", ClosedBy),
}
COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    ":": lambda ours, wanted: bool(ours == wanted),
    "=": lambda ours, wanted: bool(ours == wanted),
    "!=": lambda ours, wanted: bool(ours != wanted),
    "<": lambda ours, wanted: bool(ours < wanted),
    "<=": lambda ours, wanted: bool(ours <= wanted),
    ">": lambda ours, wanted: bool(ours > wanted),
    ">=": lambda ours, wanted: bool(ours >= wanted),
}
SHOWN_NUMBERS = ("local_port", "peer_port", "pid")
SHOWN = ("comm", "local_address", "peer_address", *SHOWN_NUMBERS)
SHOWN_WORDS = ("kind", "protocol", "state", "role", "failure", "closed_by", "error")
ENDS = ("local_address", "peer_address")
FEW = st.integers(0, 3)
NETWORKS = st.sampled_from(["10.0.0.0/8", "10.0.0.1", "0.0.0.0/0", "::/0", "fd00::/8", "fd00::1"])
ADDRESSES = st.sampled_from(["10.0.0.1", "10.2.0.1", "9.9.9.9", "fd00::1", "2001:db8::1"])
NAMES = st.sampled_from(["a", "ab", "ba", "Ab", "aab:b", "or"])
ERRNOS = st.sampled_from([0, errno.ECONNREFUSED, errno.ETIMEDOUT])


class Drawn(NamedTuple):
    """A filter, and what it means; binding: 0 or, 1 and, 2 one term."""

    text: str
    judge: Judge
    binding: int = 2


@st.composite
def rows_of_oracle(draw: st.DrawFn) -> Rows:
    """Rows that hold few different values, some of them unknown."""
    numbers = [column for columns in NUMBERS.values() for column in columns]
    strategies: dict[str, st.SearchStrategy[Any]] = {
        **dict.fromkeys(numbers, FEW),
        **{
            column: st.sampled_from([each.value for each in enum])
            for column, enum in ENUMS.values()
        },
        "comm": NAMES.map(str.encode) | st.just(b"\x1b\xffa"),
        "local_address": ADDRESSES,
        "peer_address": ADDRESSES,
        "known": st.sampled_from([0, 2, 8, 10]) | st.just(127),
        "error": ERRNOS,
        "opened_ns": st.sampled_from([0, 1, NOW_NS - 2 * 10**9, NOW_NS, NOW_NS + 1]),
    }
    count = draw(st.integers(0, 5))
    drawn = [one_row(**draw(st.fixed_dictionaries(strategies))) for _ in range(count)]
    return np.concatenate([np.zeros(0, ROW), *drawn])


def filters() -> st.SearchStrategy[Drawn]:
    """Filters of a few terms."""
    terms = st.one_of(numbers(), enums(), networks(), names(), words(), ages())
    return st.recursive(terms, lambda parts: ands(parts) | ors(parts) | nots(parts), max_leaves=6)


@st.composite
def numbers(draw: st.DrawFn) -> Drawn:
    """A number compared; what is unknown compares to nothing, and != is: none of the ends."""
    name = draw(st.sampled_from(sorted(NUMBERS)))
    operator = draw(st.sampled_from(sorted(COMPARED)))
    wanted = draw(FEW)
    columns = NUMBERS[name]

    def judge(row: dict[str, Any]) -> bool:
        known = [row[column] for column in columns if column in row]
        found = [COMPARED[operator](value, wanted) for value in known]
        return bool(known) and (all(found) if operator == "!=" else any(found))

    return Drawn(f"{name}{operator}{wanted}", judge)


@st.composite
def enums(draw: st.DrawFn) -> Drawn:
    """One of some words."""
    name = draw(st.sampled_from(sorted(ENUMS)))
    column, enum = ENUMS[name]
    wanted = draw(st.lists(st.sampled_from([word(x) for x in enum if x]), min_size=1, max_size=3))
    return Drawn(f"{name}:{','.join(wanted)}", lambda row: row.get(column) in wanted)


@st.composite
def networks(draw: st.DrawFn) -> Drawn:
    """Either end in a network; the IPv6 network of everything has IPv4 in it, as v4-mapped."""
    wanted, sign = draw(NETWORKS), draw(st.sampled_from(["ip:", "ip:9.9.9.9,"]))
    nets = [ip_network(text) for text in (wanted, *(["9.9.9.9"] if "9" in sign else []))]

    def judge(row: dict[str, Any]) -> bool:
        ends = [ip_address(row[end]) for end in ENDS if end in row]
        return any(end in net or str(net) == "::/0" for end in ends for net in nets)

    return Drawn(sign + wanted, judge)


@st.composite
def names(draw: st.DrawFn) -> Drawn:
    """A piece of the name of the process, or all of it."""
    wanted = draw(NAMES)
    if draw(st.booleans()):
        return Drawn(f'proc="{wanted}"', lambda row: row.get("comm") == wanted)
    small = wanted.lower()
    return Drawn(f'proc:"{wanted}"', lambda row: small in row.get("comm", "\0").lower())


@st.composite
def words(draw: st.DrawFn) -> Drawn:
    """A piece of anything that a row shows."""
    wanted = draw(st.sampled_from(["a", "AB", "1", "10.0", "::1", "est", "peer", "ECONN", "2"]))

    def judge(row: dict[str, Any]) -> bool:
        shown = [str(row[key]) for key in (*SHOWN, *SHOWN_WORDS) if key in row]
        return any(wanted.lower() in text.lower() for text in shown)

    return Drawn(wanted, judge)


@st.composite
def ages(draw: st.DrawFn) -> Drawn:
    """The time since it was opened; what is still to come has the age 0."""
    operator = draw(st.sampled_from(sorted(COMPARED)))
    wanted = draw(st.sampled_from(["0", "1s", "2s", "3s"]))
    wanted_ns = int(wanted.removesuffix("s")) * 10**9

    def judge(row: dict[str, Any]) -> bool:
        opened_ns = row["opened_ns"]
        return bool(opened_ns) and COMPARED[operator](max(0, NOW_NS - opened_ns), wanted_ns)

    return Drawn(f"age{operator}{wanted}", judge)


def ands(parts: st.SearchStrategy[Drawn]) -> st.SearchStrategy[Drawn]:
    """Some filters that must all hold."""
    signs = st.sampled_from([" ", " and ", "  AND "])
    return st.builds(
        lambda left, right, sign: Drawn(
            f"{_inside(left, 1)}{sign}{_inside(right, 1)}",
            lambda row: left.judge(row) and right.judge(row),
            1,
        ),
        parts,
        parts,
        signs,
    )


def ors(parts: st.SearchStrategy[Drawn]) -> st.SearchStrategy[Drawn]:
    """Some filters of which one must hold."""
    return st.builds(
        lambda left, right: Drawn(
            f"{left.text} or {right.text}", lambda row: left.judge(row) or right.judge(row), 0
        ),
        parts,
        parts,
    )


def nots(parts: st.SearchStrategy[Drawn]) -> st.SearchStrategy[Drawn]:
    """A filter that must not hold: of what is unknown too."""
    return st.builds(
        lambda part, sign: Drawn(f"{sign}{_inside(part, 2)}", lambda row: not part.judge(row)),
        parts,
        st.sampled_from(["-", "not ", "- "]),
    )


def _inside(part: Drawn, binding: int) -> str:
    return part.text if part.binding >= binding else f"({part.text})"
