"""The ring buffer, with the kernel writing."""

from __future__ import annotations

import os
import struct

import numpy as np
import pytest

from connscope.errors import FailedError, UsageError
from connscope.kernel import BpfObject, RingBuffer
from tests.kernel.library.writer import RECORD, Writers, counts, missing_numbers, opened, rename

RING_BYTES = 1 << 16


def test_records_come_in_order(library: BpfObject) -> None:
    """Each as the program filled it; a second read has nothing."""
    with RingBuffer(library.maps["ring"], RECORD) as ring:
        rename(4)
        found = ring.read()
        assert found["number"].tolist() == list(range(20))
        assert set(found["mark"].tolist()) == {77}
        assert set(found["pid"].tolist()) == {os.getpid()}
        assert len(ring.read()) == 0


def test_limit_leaves_the_rest(library: BpfObject) -> None:
    """At most so many at once, the others with the next call."""
    with RingBuffer(library.maps["ring"], RECORD) as ring:
        rename()
        assert ring.read(0)["number"].tolist() == []
        assert ring.read(3)["number"].tolist() == [0, 1, 2]
        assert ring.read(3)["number"].tolist() == [3, 4]


def test_ring_wraps_many_times(library: BpfObject) -> None:
    """A hundred times its size goes through, and nothing is missing or torn."""
    with RingBuffer(library.maps["ring"], RECORD) as ring:
        renames = 100 * library.maps["ring"].max_entries // (5 * 232)
        found = []
        for _ in range(renames):
            rename()
            found.append(ring.read())
    numbers = np.concatenate(found)["number"]
    assert np.array_equal(numbers, np.arange(5 * renames))
    assert counts(library)["lost"] == 0


def test_records_that_were_read_stay(library: BpfObject) -> None:
    """They are copies: the kernel writes over the ring, not over them."""
    with RingBuffer(library.maps["ring"], RECORD) as ring:
        rename()
        first = ring.read()
        for _ in range(100):
            rename()
            ring.read()
    assert first["number"].tolist() == [0, 1, 2, 3, 4]


def test_discarded_records_are_skipped() -> None:
    """They take room but are not seen."""
    with opened(records_per_run=10, discard_every=3).load() as loaded:
        loaded.attach()
        with RingBuffer(loaded.maps["ring"], RECORD) as ring:
            rename()
            assert ring.read()["number"].tolist() == [1, 2, 4, 5, 7, 8]
            assert len(ring) == 0
        assert counts(loaded)["discarded"] == 4


def test_nothing_but_discarded_records_is_nothing() -> None:
    """The reader moves on all the same."""
    with opened(records_per_run=10, discard_every=1).load() as loaded:
        loaded.attach()
        with RingBuffer(loaded.maps["ring"], RECORD) as ring:
            rename()
            assert len(ring) == 10 * 232
            assert len(ring.read()) == 0
            assert len(ring) == 0


def test_full_ring_counts_what_it_loses(library: BpfObject) -> None:
    """Attempted is read plus lost, and the gap in the numbers is as wide."""
    with RingBuffer(library.maps["ring"], RECORD) as ring:
        rename(40)
        found = [ring.read()]
        rename()
        found.append(ring.read())
    count = counts(library)
    assert count["lost"] > 0
    assert sum(map(len, found)) + count["lost"] == count["attempted"] == 205
    assert missing_numbers(found, [os.getpid()]) == count["lost"]


def test_writers_on_all_cpus_lose_nothing_uncounted() -> None:
    """Four processes overrun a small ring while we read: written is read, discarded and lost."""
    with opened(records_per_run=512, discard_every=7) as loaded:
        loaded.maps["ring"].resize(RING_BYTES)
        loaded.load()
        with Writers(4, times=500) as writers, RingBuffer(loaded.maps["ring"], RECORD) as ring:
            found = []
            loaded.attach()
            writers.start()
            while writers.are_running or len(ring):
                ring.wait(0.05)
                found.append(ring.read())
        count = counts(loaded)
    assert count["attempted"] == 4 * 500 * 512
    assert count["lost"] > 0
    read = sum(map(len, found))
    assert read > 512
    assert read + count["discarded"] + count["lost"] == count["attempted"]
    # The last records of a process may be lost, which no gap shows.
    assert missing_numbers(found, writers.pids) <= count["discarded"] + count["lost"]


def test_reader_that_keeps_up_loses_nothing() -> None:
    """With room enough each process's numbers come without a gap."""
    with opened(records_per_run=64) as loaded:
        loaded.maps["ring"].resize(1 << 24)
        loaded.load()
        with Writers(3, times=200) as writers, RingBuffer(loaded.maps["ring"], RECORD) as ring:
            found = []
            loaded.attach()
            writers.start()
            while writers.are_running or len(ring):
                ring.wait(0.05)
                found.append(ring.read())
        assert counts(loaded)["lost"] == 0
    assert sum(map(len, found)) == 3 * 200 * 64
    assert missing_numbers(found, writers.pids) == 0


def test_wait_ends_when_there_is_something(library: BpfObject) -> None:
    """At once if there is already, when the kernel wakes us otherwise, in vain after the time."""
    with RingBuffer(library.maps["ring"], RECORD) as ring:
        assert not ring.wait(0)
        rename()
        assert ring.wait(0)
        assert ring.wait()
        with Writers(1, times=1) as writers:
            ring.read()
            assert not ring.wait(0)
            writers.start()
            assert ring.wait(30)
        assert ring.read()["pid"].tolist() == writers.pids * 5


def test_records_of_another_size_are_refused_and_stay() -> None:
    """What is in front of them comes first; read_bytes has them, without the kernel's padding."""
    with opened(records_per_run=4, short_every=3).load() as loaded:
        loaded.attach()
        with RingBuffer(loaded.maps["ring"], RECORD) as ring:
            rename()
            with pytest.raises(UsageError, match="record of 20 bytes, the dtype has 224"):
                ring.read()
            assert ring.read_bytes(1) == [struct.pack("<5I", 0, 0, 0, 0, 0)]
            assert ring.read()["number"].tolist() == [1, 2]
            with pytest.raises(UsageError, match="use read_bytes"):
                ring.read()
            assert ring.read_bytes() == [struct.pack("<5I", 3, 0, 0, 0, 0)]


def test_wrong_dtype_is_refused(library: BpfObject) -> None:
    """One byte size at the first record, an impossible one at once."""
    rename()
    with (
        RingBuffer(library.maps["ring"], np.dtype((np.void, 216))) as ring,
        pytest.raises(UsageError, match="record of 224 bytes, the dtype has 216"),
    ):
        ring.read()
    with pytest.raises(UsageError, match="20 bytes: the kernel pads"):
        RingBuffer(library.maps["ring"], np.dtype((np.void, 20)))


def test_close_inside_the_handling_of_an_error_is_fine(library: BpfObject) -> None:
    """The trace of the error still holds the ring's memory then."""
    rename()
    ring = RingBuffer(library.maps["ring"], np.dtype((np.void, 216)))
    try:
        ring.read()
    except UsageError:
        ring.close()
    ring.close()


def test_bytes_of_all_sizes_in_order() -> None:
    """Short and long, through many wraps."""
    with opened(records_per_run=5, short_every=2).load() as loaded:
        loaded.attach()
        found = []
        with RingBuffer(loaded.maps["ring"]) as ring:
            for _ in range(500):
                rename()
                found += ring.read_bytes()
    assert [len(one) for one in found] == [20, 224] * 1250
    assert [int.from_bytes(one[:4], "little") for one in found] == list(range(2500))


def test_other_map_is_no_ring(library: BpfObject) -> None:
    """The map is named."""
    with pytest.raises(UsageError, match="map cells is no ring buffer"):
        RingBuffer(library.maps["cells"], RECORD)


def test_size_that_no_ring_has_is_rounded_or_refused() -> None:
    """A power of two pages is what the kernel makes."""
    with opened() as loaded:
        loaded.maps["ring"].resize(5000)
        try:
            loaded.load()
        except FailedError:
            return
        assert loaded.maps["ring"].max_entries == 8192
