"""The offset guess against simulated memory: random layouts solved exactly, decoys rejected."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connscope.capture.kprobe.guess.candidates import Fact, Observation, OffsetGuess, equal
from connscope.capture.kprobe.guess.fields import Field, Part, Pick
from connscope.errors import FailedError

BYTES = 1024
NET = Field("netns", 8, Part.SOCKET, (), BYTES, leads_to=Part.NET, pick=Pick.FIRST)
INODE = Field("netns_inode", 4, Part.NET, (), BYTES, pick=Pick.FIRST, varies=False)


def numbers(*widths: int, **more: Any) -> list[Field]:
    """A field of each width."""
    return [Field(f"f{i}", width, Part.SOCKET, (), BYTES, **more) for i, width in enumerate(widths)]


def layout(fields: list[Field], chance: random.Random) -> dict[str, int]:
    """A place for each field, aligned, none over another."""
    taken: set[int] = set()
    places = {}
    for each in fields:
        free = [
            at
            for at in range(0, BYTES - each.width, each.alignment)
            if taken.isdisjoint(range(at, at + each.width))
        ]
        places[each.name] = at = chance.choice(free)
        taken |= set(range(at, at + each.width))
    return places


def put(memory: bytearray, at: int, width: int, value: int) -> None:
    """Writes a number."""
    memory[at : at + width] = value.to_bytes(width, sys.byteorder)


def socket_of(
    fields: list[Field],
    places: dict[str, int],
    connection: int,
    chance: random.Random,
    change: Callable[[bytearray, dict[str, int]], None] = lambda *_: None,
) -> Observation:
    """A socket whose other bytes are noise."""
    memory = bytearray(chance.randbytes(BYTES))
    values = {each.name: chance.getrandbits(8 * each.width) for each in fields}
    change(memory, values)
    for each in fields:
        put(memory, places[each.name], each.width, values[each.name])
    facts = {name: equal(value) for name, value in values.items()}
    return Observation(connection, {Part.SOCKET: bytes(memory)}, facts, {}, f"number {connection}")


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32))
def test_random_layouts_are_solved_exactly(seed):
    """Wherever the fields are, that is where they are found."""
    chance = random.Random(seed)
    fields = numbers(16, 8, 8, 4, 4, 4, 2, 2)
    places = layout(fields, chance)
    guess = OffsetGuess(fields)
    for connection in range(4):
        guess.take(socket_of(fields, places, connection, chance))
    assert guess.solve() == places


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32))
def test_decoys_are_rejected(seed):
    """A place that is right for one connection, before the true one, is not taken."""
    chance = random.Random(seed)
    (field,) = numbers(4)
    at = chance.randrange(64, BYTES // 4) * 4
    decoy = chance.randrange(0, 16) * 4

    def plant(memory: bytearray, values: dict[str, int]) -> None:
        put(memory, decoy, 4, values[field.name])

    guess = OffsetGuess([field])
    guess.take(socket_of([field], {field.name: at}, 0, chance, plant))
    guess.take(socket_of([field], {field.name: at}, 1, chance))
    assert guess.solve() == {field.name: at}


def test_unaligned_places_are_not_tried():
    """A number that stands between two words is somebody else's bytes."""
    (field,) = numbers(4)
    guess = OffsetGuess([field])
    for connection in range(3):
        memory, value = bytearray(BYTES), 0x01020304 * (connection + 1)
        put(memory, 41, 4, value)
        put(memory, 600, 4, value)
        seen = Observation(connection, {Part.SOCKET: bytes(memory)}, {field.name: equal(value)})
        guess.take(seen)
    assert guess.solve() == {field.name: 600}


def test_one_connection_proves_nothing():
    """However often it was looked at."""
    fields = numbers(8)
    guess, chance = OffsetGuess(fields), random.Random(1)
    for _ in range(5):
        guess.take(socket_of(fields, {"f0": 8}, 7, chance))
    with pytest.raises(FailedError, match=r"field f0: two are needed"):
        guess.solve()


def test_a_constant_proves_nothing():
    """Two connections with the same value do not tell it from a number that is always there."""
    (field,) = numbers(4)
    guess = OffsetGuess([field])
    for connection in range(3):
        memory = bytearray(BYTES)
        put(memory, 40, 4, 77)
        guess.take(Observation(connection, {Part.SOCKET: bytes(memory)}, {"f0": equal(77)}))
    with pytest.raises(FailedError, match="always 0x4d"):
        guess.solve()


def test_the_error_names_field_value_and_situation():
    """So that a report of it can be understood."""
    (field,) = numbers(4)
    guess = OffsetGuess([field])
    for connection in range(2):
        facts = {"f0": equal(0xABCDE0 + connection)}
        memory = {Part.SOCKET: bytes(BYTES)}
        guess.take(Observation(connection, memory, facts, {}, "shut"))
    with pytest.raises(FailedError, match=r"field f0: 0xabcde0 is at none .* \(shut\)"):
        guess.solve()


def test_doubt_is_no_answer():
    """Two places that are always right: a field that is not required is left out, with why."""
    (field,) = numbers(4, required=False)
    guess = OffsetGuess([field])
    for connection in range(3):
        memory = bytearray(BYTES)
        for at in (40, 80):
            put(memory, at, 4, 1000 + connection)
        facts = {"f0": equal(1000 + connection)}
        guess.take(Observation(connection, {Part.SOCKET: bytes(memory)}, facts))
    assert guess.solve() == {}
    assert guess.doubts == {"f0": "2 places are right every time: 40, 80"}


@pytest.mark.parametrize(("pick", "at"), [(Pick.FIRST, 40), (Pick.LAST, 80)])
def test_of_copies_the_chosen_one_counts(pick, at):
    """Where the kernel keeps copies of a field their order is known."""
    (field,) = numbers(4, pick=pick)
    guess = OffsetGuess([field])
    for connection in range(2):
        memory = bytearray(BYTES)
        put(memory, 40, 4, 9000 + connection)
        put(memory, 80, 4, 9000 + connection)
        facts = {"f0": equal(9000 + connection)}
        guess.take(Observation(connection, {Part.SOCKET: bytes(memory)}, facts))
    assert guess.solve() == {"f0": at}


def test_ranges_and_masks():
    """Of an average only the upper bits are reported, of flags only some are known."""
    fields = numbers(4, 8)
    guess = OffsetGuess(fields)
    for connection, (average, flags) in enumerate([(800, 0b1010), (1607, 0b0010)]):
        memory = bytearray(BYTES)
        put(memory, 100, 4, average)
        put(memory, 200, 8, flags | 1 << 50)
        facts = {
            "f0": Fact(average & ~7, average | 7),
            "f1": Fact(flags, flags, 0b1111),
        }
        guess.take(Observation(connection, {Part.SOCKET: bytes(memory)}, facts))
    assert guess.solve() == {"f0": 100, "f1": 200}


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32))
def test_a_pointer_and_what_it_leads_to_are_found_together(seed):
    """Among pointers to noise the one behind which the number of the namespace stands."""
    chance = random.Random(seed)
    at, behind = chance.randrange(0, 50) * 8, chance.randrange(0, 200) * 4
    guess = OffsetGuess([NET, INODE])
    for connection in range(2):
        inode, memory = chance.getrandbits(32), bytearray(BYTES)
        others = [place * 8 for place in range(60) if place % 3 == 0 and place * 8 != at]
        for place in [*others, at]:
            put(memory, place, 8, 1 << 63 | chance.getrandbits(40))
        followed = {(Part.SOCKET, place): chance.randbytes(BYTES) for place in others}
        net = bytearray(chance.randbytes(BYTES))
        put(net, behind, 4, inode)
        followed[Part.SOCKET, at] = bytes(net)
        facts = {"netns_inode": equal(inode)}
        guess.take(Observation(connection, {Part.SOCKET: bytes(memory)}, facts, followed))
    assert guess.pointers("netns") == sorted([*others, at])
    assert guess.solve() == {"netns": at, "netns_inode": behind}


def test_a_kernel_without_ipv6_has_no_such_fields():
    """They are neither looked for nor missed."""
    fields = [*numbers(4), Field("six", 16, Part.SOCKET, (), BYTES, family=6)]
    guess, chance = OffsetGuess(fields, has_ipv6=False), random.Random(3)
    for connection in range(3):
        guess.take(socket_of(fields[:1], {"f0": 12}, connection, chance))
    assert guess.solve() == {"f0": 12}
