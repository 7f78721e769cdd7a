"""An iterator program over a map, read as columns."""

from __future__ import annotations

import numpy as np
import pytest

from connscope.errors import KernelError, UsageError
from connscope.kernel import BpfObject, MappedArray
from connscope.kernel.iterator import FIRST_BYTES
from tests.kernel.library.writer import opened

FIRST = bytes(4)
ELEMENT = np.dtype([("key", np.uint64), ("value", np.uint64)])


def test_each_element_is_a_record(maps: BpfObject) -> None:
    """A walk has what is in the map then, and the next walk what is in it later."""
    elements, keys = maps.maps["elements"], np.arange(1000, dtype=np.uint64)
    with maps.programs["walk_elements"].attach_iterator(ELEMENT, elements) as walk:
        assert len(walk.read()) == 0
        elements.write(keys, keys * 2)
        found = walk.read()
        assert sorted(found["key"].tolist()) == keys.tolist()
        assert (found["value"] == found["key"] * 2).all()
        elements.delete(keys[0])
        assert len(walk.read()) == 999


def test_walk_outgrows_its_first_buffer() -> None:
    """A megabyte and a half comes whole, first and every time."""
    number = 100_000
    assert number * ELEMENT.itemsize > 4 * FIRST_BYTES
    with opened() as loaded:
        loaded.maps["elements"].resize(number)
        elements, keys = loaded.load().maps["elements"], np.arange(number, dtype=np.uint64)
        elements.write(keys, keys)
        with loaded.programs["walk_elements"].attach_iterator(ELEMENT, elements) as walk:
            for _ in range(2):
                assert np.array_equal(np.sort(walk.read()["key"]), keys)


def test_dtype_that_does_not_fit_is_refused(maps: BpfObject) -> None:
    """Sixteen bytes are no whole number of twelve."""
    maps.maps["elements"].set(np.uint64(1), np.uint64(1))
    walk = maps.programs["walk_elements"].attach_iterator("u4,u4,u4", maps.maps["elements"])
    with walk, pytest.raises(UsageError, match="wrote 16 bytes: not a multiple of the 12"):
        walk.read()


def test_map_is_needed(maps: BpfObject) -> None:
    """This kind of iterator walks one, so without it the kernel refuses."""
    with pytest.raises(KernelError, match="attaching iter/bpf_map_elem"):
        maps.programs["walk_elements"].attach_iterator(ELEMENT)


def test_map_of_smaller_values_is_refused(maps: BpfObject) -> None:
    """The program would read behind them."""
    with pytest.raises(KernelError, match="attaching iter/bpf_map_elem"):
        maps.programs["walk_elements"].attach_iterator(ELEMENT, maps.maps["cells"])


def test_walk_goes_on_after_each_pause(maps: BpfObject) -> None:
    """A program that fills an array pauses when it is full; nothing is there twice or missing."""
    elements, keys = maps.maps["elements"], np.arange(200, dtype=np.uint64)
    elements.write(keys, keys * 3)
    walk = maps.programs["collect_elements"].attach_iterator(np.uint64, elements)
    with walk, MappedArray(maps.maps["collected"], ELEMENT) as collected:
        found: list[np.ndarray] = []

        def empty() -> None:
            count = maps.maps["collected_count"]
            found.append(collected.copy(int(np.frombuffer(count.get(FIRST) or b"", np.uint32)[0])))
            count.set(FIRST, bytes(4))

        assert not walk.walk(empty)
        empty()
        assert [len(part) for part in found] == [64, 64, 64, 8]
        content = np.concatenate(found)
    assert np.sort(content["key"]).tolist() == keys.tolist()
    assert (content["value"] == content["key"] * 3).all()


def test_walk_without_a_pause_is_whole(maps: BpfObject) -> None:
    """True tells that nobody had to wait."""
    maps.maps["elements"].set(np.uint64(1), np.uint64(1))
    walk = maps.programs["collect_elements"].attach_iterator(np.uint64, maps.maps["elements"])
    with walk:
        assert walk.walk(lambda: pytest.fail("nothing was full"))


def test_program_that_writes_records_is_no_walk(maps: BpfObject) -> None:
    """What it wrote would be lost without a word."""
    maps.maps["elements"].set(np.uint64(1), np.uint64(1))
    walk = maps.programs["walk_elements"].attach_iterator(ELEMENT, maps.maps["elements"])
    with walk, pytest.raises(UsageError, match="wrote records: use read"):
        walk.walk(lambda: None)


def test_some_values_of_an_array(maps: BpfObject) -> None:
    """Those of a mask are copied, and no others."""
    array = maps.maps["collected"]
    for place in range(3):
        array.set(np.uint32(place), np.array([(place, 7 * place)], ELEMENT).tobytes())
    with MappedArray(array, ELEMENT) as collected:
        some = collected.copy(3, np.array([True, False, True]))
    assert some["value"].tolist() == [0, 14]


def test_array_of_other_values_is_refused(maps: BpfObject) -> None:
    """Columns in the wrong places would look like numbers."""
    with pytest.raises(UsageError, match="values of map collected have 16 bytes, the dtype 8"):
        MappedArray(maps.maps["collected"], np.uint64)


def test_closed_array_says_so(maps: BpfObject) -> None:
    """Closing twice is fine, reading is not."""
    array = MappedArray(maps.maps["collected"], ELEMENT)
    array.close()
    array.close()
    with pytest.raises(UsageError, match="closed"):
        array.copy(1)
