"""Rows of several perf buffers as one sequence, with buffers that a test fills."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.capture.kprobe.perf_rows import HOLD_BACK_S, PerfRows, merged_until
from connscope.capture.kprobe.tier import KprobeTier
from connscope.config import Config
from connscope.row.columns import ROW, Rows

HOLD_BACK_NS = round(HOLD_BACK_S * 1e9)


def rows_at(times: list[int]) -> Rows:
    """One for each time; its ``connection_id`` is where it stands here."""
    rows = np.zeros(len(times), ROW)
    rows["time_ns"], rows["connection_id"] = times, np.arange(len(times))
    return rows


class Machine:
    """CPUs that write rows a while after they got their time, and a clock."""

    def __init__(self, rows: Rows, cpus: npt.NDArray[Any], written_ns: npt.NDArray[Any]) -> None:
        self.now_ns, self.closed, self.fullness = 0, False, 0.0
        order = np.argsort(written_ns, kind="stable")
        self._rows, self._cpus, self._written_ns = rows[order], cpus[order], written_ns[order]
        self._at = 0

    def read(self) -> list[Rows]:
        """What was written since the last call, by CPU."""
        to = int(np.searchsorted(self._written_ns, self.now_ns, side="right"))
        new, cpus = self._rows[self._at : to], self._cpus[self._at : to]
        self._at = to
        return [new[cpus == cpu] for cpu in range(4)]

    def __len__(self) -> int:
        return len(self._rows) - self._at

    def wait(self, timeout_s: float | None) -> bool:
        """Nobody waits here."""
        return bool(len(self))

    def sleep(self, seconds: float) -> None:
        """Moves the clock."""
        self.now_ns += round(seconds * 1e9)

    def close(self) -> None:
        """Notes it."""
        self.closed = True


def reader_of(machine: Machine, patch: pytest.MonkeyPatch) -> PerfRows:
    """Reads a machine's buffers by the machine's own clock."""
    patch.setattr("connscope.capture.kprobe.perf_rows.boottime_ns", lambda: machine.now_ns)
    patch.setattr("connscope.capture.kprobe.perf_rows.time.sleep", machine.sleep)
    return PerfRows(machine)  # type: ignore[arg-type] # reads like one


def machine_of(made: list[tuple[int, int, int]]) -> Machine:
    """From (nanoseconds since the row before, CPU, nanoseconds until it is written)."""
    times = np.cumsum([each[0] for each in made])
    cpus = np.array([each[1] for each in made])
    written = times + np.array([each[2] for each in made])
    for cpu in range(4):  # a CPU writes in the order in which it began
        written[cpus == cpu] = np.maximum.accumulate(written[cpus == cpu])
    return Machine(rows_at(times.tolist()), cpus, written)


EVENT = st.tuples(
    st.integers(0, HOLD_BACK_NS), st.integers(0, 3), st.integers(0, HOLD_BACK_NS // 2 - 1)
)


@given(st.lists(EVENT, min_size=1, max_size=60), st.lists(st.integers(1, 9), min_size=1), st.data())
def test_order_is_that_of_time_whatever_cpu_wrote_first(made, limits, data):
    """All rows come out once, by time, however the readings fall."""
    machine = machine_of(made)
    read = list[Rows]()
    with pytest.MonkeyPatch.context() as patch:
        rows = reader_of(machine, patch)
        for turn in range(1000):
            machine.now_ns += data.draw(st.integers(0, 3 * HOLD_BACK_NS)) if turn < 20 else 10**9
            read.append(rows.read(limits[turn % len(limits)]))
            if turn > 20 and not len(rows):
                break
    told = np.concatenate(read)
    assert sorted(told["connection_id"].tolist()) == list(range(len(made)))
    assert (np.diff(told["time_ns"].astype(np.int64)) >= 0).all()


def test_everything_from_before_the_call_is_read(monkeypatch: pytest.MonkeyPatch):
    """Also what a CPU had not written yet when the call began."""
    machine = machine_of([(100, 0, 900_000), (100, 1, 10)])
    machine.now_ns = 1_000
    assert reader_of(machine, monkeypatch).read()["connection_id"].tolist() == [0, 1]


def test_what_is_younger_than_the_call_waits(monkeypatch: pytest.MonkeyPatch):
    """It may come before what is not there yet."""
    machine = machine_of([(100, 0, 0), (1_500_000, 1, 0)])
    machine.now_ns = 1_000
    rows = reader_of(machine, monkeypatch)
    assert rows.read()["connection_id"].tolist() == [0]
    assert rows.wait(0)
    assert rows.read()["connection_id"].tolist() == [1]


@pytest.mark.parametrize(("fullness", "is_filling"), [(0.2, False), (0.3, True)])
def test_one_cpu_can_fill_its_buffer_alone(fullness, is_filling, monkeypatch: pytest.MonkeyPatch):
    """All of them together may be all but empty: rows would be lost before anybody reads."""
    machine = machine_of([(1, 0, 0)])
    machine.fullness = fullness
    monkeypatch.setattr(KprobeTier, "_open_ring", reader_of(machine, monkeypatch))
    assert KprobeTier(Config()).is_filling == is_filling


def test_what_is_over_the_limit_stays(monkeypatch: pytest.MonkeyPatch):
    """And comes with the next call."""
    machine = machine_of([(1, 0, 0)] * 5)
    machine.now_ns = 10**9
    rows = reader_of(machine, monkeypatch)
    assert [len(rows.read(2)) for _ in range(4)] == [2, 2, 1, 0]


def test_what_was_over_the_limit_does_not_hide_what_came_since(monkeypatch: pytest.MonkeyPatch):
    """Fewer rows than the limit mean that there are no more."""
    machine = machine_of([(1, 0, 0)] * 3 + [(10**9, 1, 0)])
    machine.now_ns = 10**9
    rows = reader_of(machine, monkeypatch)
    assert rows.read(2)["connection_id"].tolist() == [0, 1]
    machine.now_ns = 10**10
    assert rows.read(9)["connection_id"].tolist() == [2, 3]


def test_rows_of_one_time_keep_their_order():
    """One CPU wrote them one after the other."""
    merged, younger = merged_until([rows_at([5, 5, 5])], 5)
    assert merged["connection_id"].tolist() == [0, 1, 2]
    assert not len(younger)
