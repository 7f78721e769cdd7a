"""What is remembered of flows, against a dictionary."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from connscope.capture.conntrack.memory import PATIENCE, FlowMemory
from connscope.row.columns import NO_UID, ROW, Rows
from connscope.row.words import Group


def flows(ids: list[int], pids: list[int] | int = 0, opened_ns: int = 0) -> Rows:
    """Rows of flows."""
    rows = np.zeros(len(ids), ROW)
    rows["connection_id"], rows["pid"], rows["opened_ns"] = ids, pids, opened_ns
    rows["uid"] = np.where(rows["pid"] > 0, rows["pid"] + 100, NO_UID)
    return rows


def recalled(memory: FlowMemory, ids: list[int]) -> Rows:
    """Rows of these flows as their end is told."""
    rows = flows(ids)
    memory.recall(rows)
    return rows


def test_the_owner_of_the_beginning_is_that_of_the_end():
    """Whoever has the port by then."""
    memory = FlowMemory()
    memory.remember(flows([5], 7, opened_ns=3))
    end = flows([5], 9)
    assert memory.recall(end).tolist() == [True]
    assert (end["pid"][0], end["uid"][0], end["opened_ns"][0]) == (7, 107, 3)
    assert Group(int(end["known"][0])) == Group.OWNER | Group.LIFE


def test_a_look_may_find_the_owner_later():
    """The first that is found stays."""
    memory = FlowMemory()
    for pid in (0, 8, 9):
        memory.remember(flows([5], pid))
    assert recalled(memory, [5])["pid"].tolist() == [8]


def test_a_time_that_is_said_stays():
    """Conntrack's own is better than ours."""
    memory = FlowMemory()
    memory.remember(flows([5], opened_ns=3))
    end = flows([5], opened_ns=2)
    memory.recall(end)
    assert end["opened_ns"].tolist() == [2]


def test_a_look_may_come_before_the_news() -> None:
    """It does not know since when; the news that are read later do."""
    memory = FlowMemory()
    memory.remember(flows([5], 7))
    memory.remember(flows([5], opened_ns=3))
    (end,) = recalled(memory, [5])
    assert (end["pid"], end["opened_ns"]) == (7, 3)


def test_nothing_is_known_of_others():
    """They stay as they are."""
    memory = FlowMemory()
    memory.remember(flows([5], 7, 3))
    end = flows([6])
    assert memory.recall(end).tolist() == [False]
    assert end.tobytes() == flows([6]).tobytes()


def test_what_looks_do_not_show_is_forgotten():
    """Its end was lost; a look that shows it again begins anew."""
    memory = FlowMemory()
    memory.remember(flows([5, 6]))
    for _ in range(PATIENCE - 1):
        memory.compare(flows([6]))
    memory.compare(flows([5]))
    assert len(memory) == 2
    for _ in range(PATIENCE):
        memory.compare(flows([5]))
    assert len(memory) == 1


STEPS = st.lists(
    st.tuples(st.sampled_from(["remember", "forget"]), st.lists(st.integers(1, 40), max_size=30)),
    max_size=30,
)


@given(STEPS)
def test_any_history(steps: list[tuple[str, list[int]]]):
    """Beginnings and ends in any order, of flows that are known and of others, also twice."""
    memory, wanted = FlowMemory(), dict[int, int]()
    for number, (step, ids) in enumerate(steps, 1):
        if step == "remember":
            memory.remember(flows(ids, number))
            wanted.update({one: number for one in ids if one not in wanted})
        else:
            memory.forget(np.array(ids, np.uint64))
            for one in ids:
                wanted.pop(one, None)
        assert len(memory) == len(wanted)
        assert memory.has(np.arange(41, dtype=np.uint64)).tolist() == [
            one in wanted for one in range(41)
        ]
        assert recalled(memory, list(range(1, 41)))["pid"].tolist() == [
            wanted.get(one, 0) for one in range(1, 41)
        ]


def test_many():
    """Room grows, and is used again."""
    memory = FlowMemory()
    for begin in range(0, 50_000, 5000):
        ids = list(range(begin + 1, begin + 5001))
        memory.remember(flows(ids, 7))
        memory.forget(np.array(ids[:4000], np.uint64))
    assert len(memory) == 10_000
    assert recalled(memory, [5000, 50_000, 1])["pid"].tolist() == [7, 7, 0]
