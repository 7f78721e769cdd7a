"""Finds where the kernel keeps its fields, from memory of sockets that we know all about.

tcptracer-bpf's state machine, one field after the other, each at the first place where it has the
value that we know; but a place has to be right for every connection, at least two of them with
values that differ, and only aligned places are tried. Pure: who observes is in `witness`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from connscope.capture.kprobe.guess.fields import FIELDS, Field, Part, Pick
from connscope.errors import FailedError

__all__ = ("Fact", "Observation", "OffsetGuess", "equal")

Places = npt.NDArray[np.intp]

KERNEL_HALF = 1 << 63
"""Addresses of the kernel are in the upper half, on x86-64 and arm64."""

SOMETHING = (1 << 64) - 1


class Fact(NamedTuple):
    """What a field has to be in one observation: from `low` to `high`, after masking."""

    low: int
    high: int
    mask: int = SOMETHING

    def __str__(self) -> str:
        text = f"{self.low:#x}" if self.low == self.high else f"{self.low:#x} to {self.high:#x}"
        return text if self.mask == SOMETHING else f"{text} under {self.mask:#x}"


def equal(value: int) -> Fact:
    """It is that number, and nothing else."""
    return Fact(value, value)


@dataclass(frozen=True)
class Observation:
    """Memory as it was at one moment, and what is known about it.

    Attributes:
        connection: a number of the connection that it is of; those of one are no proof of each
            other.
        memory: the parts that were copied.
        facts: what is known, by the names of fields; addresses of 16 bytes are big numbers in the
            machine's byte order.
        followed: for pointers of a part that leads to another one: by the pointer's place, the
            memory behind it.
        situation: how it came to be, for errors.
    """

    connection: int
    memory: Mapping[Part, bytes]
    facts: Mapping[str, Fact]
    followed: Mapping[tuple[Part, int], bytes] = field(default_factory=dict)
    situation: str = ""


class OffsetGuess:
    """The state of a guess.

    Args:
        fields: to be found, in that order.
        has_ipv6: whether there are facts about IPv6 at all.

    Attributes:
        found: the places of the fields so far, by name.
        doubts: why each field is not found that was passed over, by name.
    """

    def __init__(self, fields: Sequence[Field] = FIELDS, *, has_ipv6: bool = True) -> None:
        self._fields = [each for each in fields if has_ipv6 or each.family != 6]
        self._seen: list[Observation] = []
        self.found: dict[str, int] = {}
        self.doubts: dict[str, str] = {}

    def take(self, seen: Observation) -> None:
        """Adds what was seen, and goes on with the guess as far as it leads."""
        self._seen.append(seen)

    @property
    def connections(self) -> int:
        """How many there were so far."""
        return len({seen.connection for seen in self._seen})

    def pointers(self, name: str) -> list[int]:
        """Where that pointer may be: wherever the first observation has an address."""
        (pointer,) = (each for each in self._fields if each.name == name)
        seen = self._with(pointer.part)
        if not seen:
            return []
        words = _values(seen[0].memory[pointer.part], pointer)
        places = np.flatnonzero(words >= np.uint64(KERNEL_HALF)) * pointer.alignment
        return [int(place) for place in places]

    def solve(self) -> dict[str, int]:
        """Goes through all fields with what was seen so far.

        Returns:
            The places of all that were found.

        Raises:
            FailedError: a field that is required was not found; names the field, what it should
                have been and in which situation.
        """
        self.found, self.doubts = {}, {}
        for each in self._fields:
            if each.name in self.found:
                continue
            reason = self._find_pair(each) if each.leads_to else self._find(each)
            if reason and each.required:
                raise FailedError("guessing field offsets", f"field {each.name}: {reason}")
            if reason:
                self.doubts[each.name] = reason
        return self.found

    def _find(self, wanted: Field) -> str:
        """Finds one field; why not, or nothing."""
        if wanted.part in (Part.NET, Part.FILE_SOCKET):
            return "the pointer that leads there was not found"
        seen = [each for each in self._with(wanted.part) if wanted.name in each.facts]
        doubt = _too_little(wanted, seen)
        if doubt:
            return doubt
        places = self._free(wanted)
        for each in seen:
            right = _is_right(each.memory[wanted.part], wanted, each.facts[wanted.name])
            left = places[places < len(right) * wanted.alignment]
            left = left[right[left // wanted.alignment]]
            if not len(left):
                return (
                    f"{each.facts[wanted.name]} is at none of {len(places)} places in the first "
                    f"{wanted.limit} bytes of the {wanted.part} ({each.situation})"
                )
            places = left
        return self._choose(wanted, places)

    def _find_pair(self, pointer: Field) -> str:
        """Finds a pointer and what it leads to: no other memory has the value at that place."""
        (target,) = (each for each in self._fields if each.part is pointer.leads_to)
        pairs: set[tuple[int, int]] | None = None
        seen = [each for each in self._with(pointer.part) if target.name in each.facts]
        doubt = _too_little(target, seen)
        if doubt:
            return doubt
        for each in seen:
            fact = each.facts[target.name]
            here = set(_pairs(each, pointer, target, fact))
            pairs = here if pairs is None else pairs & here
            if not pairs:
                return f"{fact} is behind no pointer ({each.situation})"
        at, behind = min(pairs or ())
        self.found |= {pointer.name: at, target.name: behind}
        return ""

    def _choose(self, wanted: Field, places: Places) -> str:
        if len(places) > 1 and wanted.pick is Pick.ONLY:
            listed = ", ".join(map(str, places[:8].tolist()))
            return f"{len(places)} places are right every time: {listed}"
        self.found[wanted.name] = int(places[-1] if wanted.pick is Pick.LAST else places[0])
        return ""

    def _free(self, wanted: Field) -> Places:
        """Where it may be: the aligned places at which no other field was found."""
        places: Places = np.arange(0, wanted.limit, wanted.alignment)
        for each in self._fields:
            at = self.found.get(each.name)
            if at is not None and each.part is wanted.part:
                places = places[(places + wanted.width <= at) | (places >= at + each.width)]
        return places

    def _with(self, part: Part) -> list[Observation]:
        return [each for each in self._seen if part in each.memory]


def _too_little(wanted: Field, seen: Sequence[Observation]) -> str:
    """What is missing before a place may count as confirmed."""
    if len({each.connection for each in seen}) < 2:
        return "two are needed to confirm it, and it was seen with fewer connections"
    if wanted.varies and len({each.facts[wanted.name] for each in seen}) < 2:
        return f"always {seen[0].facts[wanted.name]}: nothing tells it from a constant"
    return ""


def _values(memory: bytes, wanted: Field) -> npt.NDArray[np.uint64]:
    """What is at each aligned place; of 16 bytes the first half."""
    width, step = min(wanted.width, 8), wanted.alignment
    count = max(0, (min(len(memory), wanted.limit + wanted.width) - wanted.width) // step + 1)
    size = (count - 1) * step + width if count else 0
    whole = np.frombuffer(memory[:size], np.uint8)
    windows = np.lib.stride_tricks.as_strided(whole, (count, width), (step, 1))
    values = np.ascontiguousarray(windows).view(f"u{width}")[:, 0]
    found: npt.NDArray[np.uint64] = values.astype(np.uint64)
    return found


def _is_right(memory: bytes, wanted: Field, fact: Fact) -> npt.NDArray[np.bool_]:
    """Whether each aligned place agrees with the fact."""
    if wanted.width > 8:
        return _is_text(memory, wanted, fact.low.to_bytes(wanted.width, sys.byteorder))
    values = _values(memory, wanted) & np.uint64(fact.mask)
    right: npt.NDArray[np.bool_] = (values >= np.uint64(fact.low)) & (
        values <= np.uint64(fact.high)
    )
    return right


def _is_text(memory: bytes, wanted: Field, text: bytes) -> npt.NDArray[np.bool_]:
    right = np.zeros(len(_values(memory, wanted)), np.bool_)
    at = memory.find(text)
    while at >= 0:
        if at % wanted.alignment == 0 and at // wanted.alignment < len(right):
            right[at // wanted.alignment] = True
        at = memory.find(text, at + 1)
    return right


def _pairs(
    seen: Observation, pointer: Field, target: Field, fact: Fact
) -> Iterator[tuple[int, int]]:
    for (part, at), memory in seen.followed.items():
        if part is pointer.part:
            right = _is_right(memory, target, fact)
            yield from ((at, int(place) * target.alignment) for place in np.flatnonzero(right))
