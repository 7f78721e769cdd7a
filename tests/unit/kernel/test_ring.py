"""A ring buffer's bytes, parsed without a kernel."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.errors import UsageError
from connscope.kernel.ring import BUSY, DISCARD, take_bytes, take_columns

RECORD = np.dtype([("number", np.uint64), ("letter", "S1"), ("rest", np.uint8, (7,))])
SLOT_BYTES = 8 + RECORD.itemsize

flags = st.lists(st.sampled_from([0, 0, 0, DISCARD, BUSY, BUSY | DISCARD]), max_size=40)


def record(number: int) -> bytes:
    """The body of a record."""
    return struct.pack("<Qs7x", number, b"r")


def slot(body: bytes, flag: int = 0, length: int | None = None) -> bytes:
    """A record as the kernel lays it out."""
    size = len(body) if length is None else length
    return struct.pack("<II", size | flag, 0) + body.ljust(-(-len(body) // 8) * 8, b"\0")


def memory(*slots: bytes) -> np.ndarray:
    """What waits in a ring."""
    return np.frombuffer(b"".join(slots), np.uint8)


def finished(flags: list[int]) -> list[int]:
    """The flags in front of the first record that is still being written."""
    busy = [index for index, flag in enumerate(flags) if flag & BUSY]
    return flags[: busy[0]] if busy else flags


class TestColumns:
    """take_columns, for records of one size."""

    @given(flags, st.integers(0, 50))
    def test_takes_what_is_finished_in_order(self, flags: list[int], limit: int) -> None:
        """Up to the first busy record or the limit, all but the discarded come out in order."""
        ahead = memory(*(slot(record(i), flag) for i, flag in enumerate(flags)))
        found, taken = take_columns(ahead, RECORD, limit)

        passed = finished(flags)[:limit]
        assert taken == len(passed) * SLOT_BYTES
        assert found["number"].tolist() == [i for i, flag in enumerate(passed) if not flag]
        assert set(found["letter"].tolist()) <= {b"r"}

    @given(st.integers(1, 20), st.integers(0, 200).filter(lambda size: size != RECORD.itemsize))
    def test_refuses_a_record_of_another_size_once_it_is_first(self, good: int, size: int) -> None:
        """What is in front of a record of another size still comes out; then it is named."""
        ahead = memory(*(slot(record(i)) for i in range(good)), slot(b"?" * size), slot(record(0)))
        found, taken = take_columns(ahead, RECORD, 100)
        assert (len(found), taken) == (good, good * SLOT_BYTES)
        with pytest.raises(UsageError, match=rf"record of {size} bytes.*use read_bytes"):
            take_columns(ahead[taken:], RECORD, 100)

    def test_waits_for_a_busy_record_of_another_size(self) -> None:
        """Nothing is known of a record that is still being written, so it is no error yet."""
        found, taken = take_columns(memory(slot(b"12345678", BUSY)), RECORD, 100)
        assert (len(found), taken) == (0, 0)

    def test_copies(self) -> None:
        """What was read stays when the kernel writes over it."""
        ahead = memory(slot(record(1))).copy()
        found, _ = take_columns(ahead, RECORD, 100)
        ahead[:] = 0xFF
        assert found["number"].tolist() == [1]

    @given(st.binary(max_size=400), st.integers(-1, 30))
    def test_survives_garbage(self, content: bytes, limit: int) -> None:
        """Any bytes are refused or skipped; never more is taken than is there."""
        ahead = memory(content)
        try:
            found, taken = take_columns(ahead, RECORD, limit)
        except UsageError:
            return
        assert 0 <= taken <= len(content)
        assert len(found) * SLOT_BYTES <= taken


class TestBytes:
    """take_bytes, for records of any size."""

    @given(st.lists(st.tuples(st.binary(max_size=50), st.sampled_from([0, 0, DISCARD, BUSY]))))
    def test_takes_each_with_its_own_length(self, records: list[tuple[bytes, int]]) -> None:
        """The padding stays away; discarded records are skipped, a busy one ends it."""
        ahead = memory(*(slot(body, flag) for body, flag in records))
        found, taken = take_bytes(ahead, 1000)

        passed = records[: len(finished([flag for _, flag in records]))]
        assert found == [body for body, flag in passed if not flag]
        assert taken == sum(len(slot(body)) for body, _ in passed)

    def test_stops_at_the_limit(self) -> None:
        """The rest comes with the next call."""
        ahead = memory(slot(b"one"), slot(b"two"), slot(b"three"))
        found, taken = take_bytes(ahead, 2)
        assert (found, take_bytes(ahead[taken:], 2)[0]) == ([b"one", b"two"], [b"three"])

    def test_refuses_a_record_longer_than_what_waits(self) -> None:
        """Such a length is no length."""
        with pytest.raises(UsageError, match="claims a record of 1000000 bytes, 16 wait"):
            take_bytes(memory(slot(b"short", length=1_000_000)), 10)

    @given(st.binary(max_size=400), st.integers(-1, 30))
    def test_survives_garbage(self, content: bytes, limit: int) -> None:
        """Any bytes are refused or skipped; never more is taken than is there."""
        try:
            found, taken = take_bytes(memory(content), limit)
        except UsageError:
            return
        assert 0 <= taken <= len(content)
        assert len(found) <= max(limit, 0)
