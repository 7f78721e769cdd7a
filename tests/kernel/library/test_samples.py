"""The perf buffer, with the kernel writing."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator

import numpy as np
import pytest

from connscope.errors import UsageError
from connscope.kernel import BpfObject, PerfBuffer
from tests.kernel.library.writer import RECORD, Writers, counts, missing_numbers, opened, rename


@pytest.fixture
def sampler() -> Iterator[BpfObject]:
    """Loaded and attached; each rename of this process, on one CPU, writes 5 samples."""
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cpus)})
    with opened(records_per_run=5, to_perf=True).load() as loaded:
        yield loaded
    os.sched_setaffinity(0, cpus)


def test_samples_come_in_order(sampler: BpfObject) -> None:
    """Those of a CPU in one array, the others' are empty."""
    with PerfBuffer(sampler.maps["samples"], RECORD) as samples:
        sampler.attach()
        rename(3)
        found = samples.read()
    assert len(found) == len(samples.lost)
    assert np.concatenate(found)["number"].tolist() == list(range(15))
    assert sorted(len(one) for one in found)[:-1] == [0] * (len(found) - 1)


def test_fullness_is_that_of_the_fullest_ring(sampler: BpfObject) -> None:
    """One CPU writes; how many others have room does not matter."""
    with PerfBuffer(sampler.maps["samples"], RECORD, pages=1) as samples:
        sampler.attach()
        rename()
        assert samples.fullness == len(samples) / mmap.PAGESIZE > 0
        samples.read()
        assert not samples.fullness


def test_ring_wraps_many_times(sampler: BpfObject) -> None:
    """A page is filled a hundred times, with samples cut in two by its end."""
    with PerfBuffer(sampler.maps["samples"], RECORD, pages=1) as samples:
        sampler.attach()
        found = []
        for _ in range(400):
            rename()
            found += samples.read()
        assert samples.lost.sum() == 0
    assert np.array_equal(np.concatenate(found)["number"], np.arange(2000))


def test_full_ring_tells_what_it_lost(sampler: BpfObject) -> None:
    """With the next sample that finds room; that is as many as the program could not write."""
    with PerfBuffer(sampler.maps["samples"], RECORD, pages=2) as samples:
        sampler.attach()
        found = []
        for _ in range(3):
            rename(20)
            found += samples.read()
        rename()
        found += samples.read()
        told = int(samples.lost.sum())
    count = counts(sampler)
    assert told == count["lost"] > 0
    assert sum(map(len, found)) + told == count["attempted"]
    assert missing_numbers(found, [os.getpid()]) == told


def test_writers_on_all_cpus_lose_nothing_uncounted() -> None:
    """Four processes overrun small rings while we read: written is read plus lost."""
    with opened(records_per_run=512, to_perf=True).load() as loaded:
        with (
            PerfBuffer(loaded.maps["samples"], RECORD, pages=8) as samples,
            Writers(4, times=200) as writers,
        ):
            found = []
            loaded.attach()
            writers.start()
            while writers.are_running or samples.wait(0):
                samples.wait(0.05)
                found += samples.read()
        count = counts(loaded)
    assert count["attempted"] == 4 * 200 * 512
    assert count["lost"] > 0
    assert sum(map(len, found)) + count["lost"] == count["attempted"]
    missing_numbers(found, writers.pids)


def test_wait_ends_when_there_is_something(sampler: BpfObject) -> None:
    """Also a second time, as long as nobody has read."""
    with PerfBuffer(sampler.maps["samples"], RECORD) as samples:
        assert not samples.wait(0)
        with Writers(1, times=1) as writers:
            sampler.attach()
            writers.start()
            assert samples.wait(30)
            while writers.are_running:
                pass
        assert samples.wait(0)
        assert samples.wait()
        assert sum(map(len, samples.read())) == 5
        assert not any(map(len, samples.read()))


def test_samples_of_another_size_are_refused(sampler: BpfObject) -> None:
    """Rather than read as something that they are not."""
    with PerfBuffer(sampler.maps["samples"], np.dtype((np.void, 32))) as samples:
        sampler.attach()
        rename()
        with pytest.raises(UsageError, match="samples of 228 bytes"):
            samples.read()


def test_wait_works_with_a_thousand_open_files(sampler: BpfObject) -> None:
    """select(2) would stop at fd 1024."""
    held = [os.dup(0) for _ in range(1100)]
    try:
        with PerfBuffer(sampler.maps["samples"], RECORD, pages=1) as samples:
            assert not samples.wait(0)
    finally:
        for fd in held:
            os.close(fd)


def test_other_map_and_odd_size_are_refused(sampler: BpfObject) -> None:
    """Named, before libbpf sees them."""
    with pytest.raises(UsageError, match="map ring is no perf event array"):
        PerfBuffer(sampler.maps["ring"], RECORD)
    with pytest.raises(UsageError, match=r"3 pages .* no power of two"):
        PerfBuffer(sampler.maps["samples"], RECORD, pages=3)
