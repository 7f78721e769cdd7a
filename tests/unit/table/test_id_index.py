"""The index of ids, with a dict as the judge."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from connscope.table.id_index import ABSENT, GOLDEN, IdIndex, are_ids
from tests.unit.table.rows import bytes_kept

NO_IDS = [0, (1 << 64) - 1]
INVERSE = pow(int(GOLDEN), -1, 1 << 64)
IN_FIRST_CELL = [number * INVERSE % (1 << 64) for number in range(1, 30)]
IN_LAST_CELL = [-number * INVERSE % (1 << 64) for number in range(1, 30)]
"""However many cells there are, these all want the same one."""

FEW = [*IN_FIRST_CELL, *IN_LAST_CELL, 1, 2, (1 << 64) - 2]
COOKIES = range(1 << 20, (1 << 20) + 4000)
"""As many as make the index grow, and when they go, shrink."""

WANTED = st.sets(st.sampled_from(FEW)) | st.builds(
    lambda start, step: set(COOKIES[start::step]), st.integers(0, 3), st.sampled_from([1, 2, 3])
)
STEPS = st.lists(st.tuples(st.booleans(), WANTED), max_size=12)


def numbers(wanted) -> np.ndarray:
    """As the index takes ids."""
    return np.array(list(wanted), np.uint64)


def slots(wanted) -> np.ndarray:
    """As the index takes slots."""
    return np.array(list(wanted), np.int64)


def churned(index: IdIndex, rounds: int, size: int = 100) -> None:
    """Ids come and go; never are there more than so many."""
    for number in range(rounds):
        some = np.arange(1 + number * size, 1 + (number + 1) * size, dtype=np.uint64)
        index.add(some, np.zeros(size, np.int64))
        index.remove(some)


@given(STEPS)
def test_index_is_a_dict(steps):
    """Whatever is added and removed, and wherever it collides."""
    index, model = IdIndex(), dict[int, int]()
    everybody = [*NO_IDS, *FEW, *COOKIES]
    for number, (adds, wanted) in enumerate(steps):
        if adds:
            fresh = {each: number * 10_000 + at for at, each in enumerate(wanted - model.keys())}
            index.add(numbers(fresh), slots(fresh.values()))
            model |= fresh
        else:
            index.remove(numbers(gone := wanted & model.keys()))
            model = {each: slot for each, slot in model.items() if each not in gone}
        assert len(index) == len(model)
        expected = [model.get(each, ABSENT) for each in everybody]
        assert index.find(numbers(everybody)).tolist() == expected


@given(st.lists(st.sampled_from([*NO_IDS, *FEW])))
def test_the_same_id_may_be_asked_for_twice(wanted):
    """Each answer stands where the question does."""
    index = IdIndex()
    index.add(numbers(FEW), slots(range(len(FEW))))
    expected = [FEW.index(each) if each in FEW else ABSENT for each in wanted]
    assert index.find(numbers(wanted)).tolist() == expected


def test_zero_and_the_highest_number_are_no_ids():
    """The index marks empty and removed cells with them."""
    assert are_ids(numbers([*NO_IDS, 1, (1 << 64) - 2])).tolist() == [False, False, True, True]


def test_what_is_no_id_is_not_found_where_ids_were_removed():
    """The mark of a removed cell is nobody's id."""
    index = IdIndex()
    index.add(numbers(FEW), slots(range(len(FEW))))
    index.remove(numbers(FEW))
    assert index.find(numbers(NO_IDS)).tolist() == [ABSENT, ABSENT]


def test_memory_does_not_grow_with_what_was_removed():
    """Removed cells are used again, or left behind."""
    index, cell = IdIndex(), 16
    assert bytes_kept(lambda: churned(index, 500)) < 4 * 100 * cell + 20_000


def test_what_was_never_there_is_looked_for_in_vain_after_any_number_of_removals():
    """There is always an empty cell at which the search ends."""
    index = IdIndex()
    churned(index, 500)
    assert index.find(numbers([1 << 40])).tolist() == [ABSENT]


def test_memory_is_given_back():
    """What was big once need not stay big."""
    index, many = IdIndex(), np.arange(1, 100_000, dtype=np.uint64)

    def come() -> None:
        index.add(many, np.zeros(len(many), np.int64))

    def come_and_go() -> None:
        come()
        index.remove(many)

    assert bytes_kept(come_and_go) < 20_000
    assert bytes_kept(come) > 1_000_000
