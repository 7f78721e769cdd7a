"""Maps of each shape, one by one and in batches."""

from __future__ import annotations

import numpy as np
import pytest

from connscope.errors import FailedError, NotSupportedError, UsageError
from connscope.kernel import BpfObject
from connscope.kernel.map import possible_cpus
from tests.kernel.library.writer import opened

PLACE = np.dtype([("a", np.uint32), ("b", np.uint32), ("c", np.uint32)])


def u64(number: int) -> bytes:
    """A key or value of `elements`."""
    return np.uint64(number).tobytes()


class TestOneByOne:
    """get, set, delete, iterate."""

    def test_value_is_there_until_it_is_deleted(self, maps: BpfObject) -> None:
        """None and False say that there is nothing."""
        elements = maps.maps["elements"]
        assert elements.get(u64(1)) is None
        elements.set(u64(1), u64(2))
        elements.set(u64(1), u64(3))
        assert elements.get(u64(1)) == u64(3)
        assert elements.delete(u64(1))
        assert not elements.delete(u64(1))
        assert elements.get(u64(1)) is None

    def test_arrays_and_scalars_are_keys_and_values_too(self, maps: BpfObject) -> None:
        """What has bytes is bytes, structured or not."""
        elements = maps.maps["elements"]
        elements.set(np.uint64(5), np.array([6], np.uint64))
        pair = np.array([(7, 0)], "u4,u4")
        elements.set(pair[0], memoryview(u64(8)))
        assert elements.get(bytearray(u64(5))) == u64(6)
        assert elements.get(pair) == u64(8)
        assert elements.delete(np.uint64(7))

    @pytest.mark.parametrize("size", [0, 4, 9])
    def test_key_of_another_size_is_refused(self, maps: BpfObject, size: int) -> None:
        """Before the kernel reads behind its end."""
        elements = maps.maps["elements"]
        for call in (elements.get, elements.delete, lambda key: elements.set(key, u64(1))):
            with pytest.raises(UsageError, match=f"keys of 8 bytes, not {size}"):
                call(bytes(size))

    def test_value_of_another_size_is_refused(self, maps: BpfObject) -> None:
        """Of a per-CPU map it is all CPUs' values."""
        with pytest.raises(UsageError, match="values of 8 bytes, not 4"):
            maps.maps["elements"].set(u64(1), bytes(4))
        size = 16 * possible_cpus()
        with pytest.raises(UsageError, match=f"values of {size} bytes, not 12"):
            maps.maps["places"].set(bytes(4), bytes(12))

    def test_iteration_has_every_key_once(self, maps: BpfObject) -> None:
        """In no order, and an empty map has none."""
        elements = maps.maps["elements"]
        assert list(elements) == []
        keys = {u64(number) for number in range(300)}
        for key in keys:
            elements.set(key, key)
        found = list(elements)
        assert (len(found), set(found)) == (300, keys)

    def test_keys_may_be_deleted_on_the_way(self, maps: BpfObject) -> None:
        """Deleting each key that comes empties the map."""
        elements = maps.maps["elements"]
        for number in range(300):
            elements.set(u64(number), u64(0))
        for key in elements:
            elements.delete(key)
        assert list(elements) == []

    def test_array_has_all_its_keys_always(self, maps: BpfObject) -> None:
        """An array is full of zeros from the start; nothing can be deleted from it."""
        cells = maps.maps["cells"]
        assert len(list(cells)) == 8
        assert cells.get(bytes(4)) == bytes(4)
        with pytest.raises(FailedError, match="delete in map cells"):
            cells.delete(bytes(4))

    def test_full_map_is_a_failure(self, maps: BpfObject) -> None:
        """The kernel's word for it is E2BIG."""
        places = maps.maps["places"]
        value = bytes(16 * possible_cpus())
        for number in range(64):
            places.set(np.uint32(number), value)
        with pytest.raises(FailedError, match=r"update of map places: .*E2BIG"):
            places.set(np.uint32(64), value)


class TestBatches:
    """read and write."""

    @pytest.mark.parametrize("number", [0, 1, 1024])
    def test_what_is_written_is_read(self, maps: BpfObject, number: int) -> None:
        """None, one, or as many as there is room for."""
        elements, keys = maps.maps["elements"], np.arange(number, dtype=np.uint64)
        elements.write(keys, keys * 3)
        found, values = elements.read(np.uint64, np.uint64)
        assert sorted(found.tolist()) == keys.tolist()
        assert (values == found * 3).all()

    def test_map_larger_than_a_batch_is_read_whole(self) -> None:
        """Batch by batch, each entry once."""
        with opened() as loaded:
            loaded.maps["elements"].resize(50_000)
            elements, keys = loaded.load().maps["elements"], np.arange(40_000, dtype=np.uint64)
            elements.write(keys, keys)
            found, _ = elements.read(np.uint64, np.uint64)
            assert np.array_equal(np.sort(found), keys)

    def test_read_and_delete_empties_it(self, maps: BpfObject) -> None:
        """What was read is gone, what was gone is not read."""
        elements, keys = maps.maps["elements"], np.arange(100, dtype=np.uint64)
        elements.write(keys, keys)
        found, _ = elements.read(np.uint64, np.uint64, delete=True)
        assert len(found) == 100
        assert len(elements.read(np.uint64, np.uint64)[0]) == 0

    def test_per_cpu_values_have_an_axis_for_the_cpu(self, maps: BpfObject) -> None:
        """Twelve bytes are padded to sixteen by the kernel, and nobody sees it."""
        places, cpus = maps.maps["places"], possible_cpus()
        keys = np.arange(20, dtype=np.uint32)
        values = np.zeros((20, cpus), PLACE)
        for name, factor in (("a", 1), ("b", 10), ("c", 100)):
            values[name] = factor * keys[:, None] + np.arange(cpus)
        places.write(keys, values)

        found, read = places.read(np.uint32, PLACE)
        assert read.shape == (20, cpus)
        assert np.array_equal(read, values[found])
        one = np.frombuffer(places.get(keys[3]) or b"", np.uint32).reshape(cpus, 4)
        assert np.array_equal(one[:, 2], values["c"][3])

    def test_array_can_be_read_but_not_emptied(self, maps: BpfObject) -> None:
        """An array's entries are always there."""
        cells = maps.maps["cells"]
        cells.write(np.arange(8, dtype=np.uint32), np.arange(8, dtype=np.uint32) + 5)
        keys, values = cells.read(np.uint32, np.uint32)
        assert (values == keys + 5).all()
        with pytest.raises(NotSupportedError):
            cells.read(np.uint32, np.uint32, delete=True)

    def test_dtype_of_another_size_is_refused(self, maps: BpfObject) -> None:
        """Read or written, by key or by value."""
        elements, keys = maps.maps["elements"], np.arange(4, dtype=np.uint64)
        for key, value in ((np.uint32, np.uint64), (np.uint64, np.uint32)):
            with pytest.raises(UsageError, match="keys of 8 and values of 8 bytes"):
                elements.read(key, value)
            with pytest.raises(UsageError, match="keys of 8 and values of 8 bytes"):
                elements.write(keys.astype(key), keys.astype(value))

    def test_shape_that_does_not_fit_is_refused(self, maps: BpfObject) -> None:
        """As many values as keys; of a per-CPU map, one for each CPU."""
        keys = np.arange(4, dtype=np.uint64)
        with pytest.raises(UsageError, match="shapes"):
            maps.maps["elements"].write(keys, keys[:3])
        with pytest.raises(UsageError, match="shapes"):
            maps.maps["places"].write(keys.astype(np.uint32), np.zeros(4, PLACE))

    def test_more_than_there_is_room_for_is_a_failure(self, maps: BpfObject) -> None:
        """Those that found room are in it."""
        elements, keys = maps.maps["elements"], np.arange(1025, dtype=np.uint64)
        with pytest.raises(FailedError, match="E2BIG"):
            elements.write(keys, keys)
        assert len(elements.read(np.uint64, np.uint64)[0]) == 1024


class TestReuse:
    """Two objects, one map."""

    def test_both_see_the_same_entries(self, maps: BpfObject) -> None:
        """What one writes the other reads, and it stays when the first is closed."""
        with opened() as second:
            second.maps["elements"].reuse(maps.maps["elements"])
            second.load()
            maps.maps["elements"].set(u64(1), u64(2))
            assert second.maps["elements"].get(u64(1)) == u64(2)
            maps.close()
            assert second.maps["elements"].get(u64(1)) == u64(2)

    def test_map_of_another_kind_is_refused(self, maps: BpfObject) -> None:
        """Type and sizes have to be the same."""
        with opened() as second, pytest.raises(UsageError, match="cells can not be map elements"):
            second.maps["cells"].reuse(maps.maps["elements"])

    def test_resize_after_load_is_refused(self, maps: BpfObject) -> None:
        """The map is made by then."""
        with pytest.raises(FailedError, match="size of map elements"):
            maps.maps["elements"].resize(3)
