"""How often a program ran, as the kernel counts it."""

from __future__ import annotations

from connscope.kernel import BpfObject
from connscope.kernel.stats import RunStats, RunStatsSwitch, read_missed_runs, read_run_stats
from tests.kernel.library.writer import rename


def test_runs_are_counted_while_the_switch_is_on(library: BpfObject) -> None:
    """Each rename is a run that took some time; others on the machine rename themselves too."""
    program = library.programs["write_records"]
    with RunStatsSwitch() as switch:
        before = read_run_stats(program)
        rename(100)
        ran = read_run_stats(program) - before
        switch.close()
    assert ran.run_count >= 100
    assert 100 * 10 < ran.run_time_ns < 10**9


def test_difference_is_field_by_field() -> None:
    """What came on top."""
    assert RunStats(10, 3) - RunStats(4, 1) == RunStats(6, 2)


def test_no_run_was_missed(library: BpfObject) -> None:
    """A program that nothing interrupts is run each time."""
    rename(100)
    assert read_missed_runs(library.programs["write_records"]) == 0
