"""Recorded reports, moved to now."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from connscope.cli.exit_codes import FAILED, USAGE
from connscope.cli.replayed import Replayed
from connscope.kernel.host.clock import boottime_ns
from connscope.report.recording import write_report
from connscope.report.report import Report, make_report
from tests.unit.cli.command import run_connscope
from tests.unit.report.reports import a_look, table_of

SECOND_NS = 10**9
PAST_NS = 10**12


def report(sequence: int, **columns: int) -> Report:
    """One a second."""
    rows = table_of({1: 5}, **columns)
    base = sequence - 1 if sequence else None
    return make_report(a_look(PAST_NS + sequence * SECOND_NS), sequence, base, rows)


def test_the_first_one_is_of_now():
    """And so is its session."""
    before_ns = boottime_ns()
    moved = Replayed().moved(report(0))
    assert before_ns <= moved.look.time_ns <= boottime_ns()
    assert before_ns <= moved.look.session_ns <= moved.look.time_ns


def test_the_others_follow_as_they_did():
    """After the same time, which is waited for."""
    replayed = Replayed()
    first, second = (replayed.moved(report(number)) for number in (0, 1))
    assert second.look.time_ns - first.look.time_ns == SECOND_NS
    assert 0.5 < replayed.pause_s <= 1


def test_times_of_rows_move_with_them():
    """An age stays what it was; what is not known stays so."""
    moved = Replayed().moved(report(0, opened_ns=PAST_NS - 7 * SECOND_NS))
    row = moved.open[0]
    assert moved.look.time_ns - int(row["opened_ns"]) == 7 * SECOND_NS or row["opened_ns"] == 1
    assert row["closed_ns"] == 0


def test_the_next_round_is_another_session():
    """A later one, or the server would have had all of it."""
    replayed = Replayed()
    first = replayed.moved(report(0)).look.session_ns
    time.sleep(0.001)
    replayed.begin_again()
    assert replayed.moved(report(0)).look.session_ns > first


def test_what_is_recorded_is_not_changed():
    """It is shown again."""
    recorded = report(0, opened_ns=PAST_NS)
    Replayed().moved(recorded)
    assert recorded.open["opened_ns"][0] == PAST_NS


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (None, USAGE, "can not read"),
        (b"", FAILED, "no recording"),
        (b"no recording at all", FAILED, "no recording"),
        (b"connscope recording 1\n", USAGE, "no whole report"),
    ],
)
def test_files_that_are_none(tmp_path: Path, content: bytes | None, code: int, said: str):
    """It is said before a server is started."""
    path = tmp_path / "recording"
    if content is not None:
        path.write_bytes(content)
    done = run_connscope("replay", str(path), HOME=str(tmp_path), XDG_RUNTIME_DIR=str(tmp_path))
    assert done.returncode == code
    assert said in done.stderr


def test_a_damaged_report_ends_it(tmp_path: Path):
    """With what is wrong; the server goes with it."""
    path = tmp_path / "recording"
    with path.open("wb") as file:
        write_report(file, b"this was a report once")
    done = run_connscope(
        "replay", str(path), "--port", "0", HOME=str(tmp_path), XDG_RUNTIME_DIR=str(tmp_path)
    )
    assert done.returncode == FAILED
    assert "Traceback" not in done.stderr
