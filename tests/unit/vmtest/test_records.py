"""Several runs fill one table, and each line of it says what was tested."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vmtest.kernels import KERNELS, PLAIN, kernel_named
from vmtest.records import Record, has_all, lines_of, load, merged, records_of, save
from vmtest.results import Cell
from vmtest.table import Line, table_of

TIERS = ("btf", "netlink")
FILE, OTHER = "tests/a.py", "tests/b.py"
FACTS = {"commit": "c0ffee", "sources": "hash", "date": "2026-11-21T10:00"}
DONE = Record(
    "6.1", PLAIN.name, "btf", FILE, "6.1.0-56-amd64", "c0ffee", "hash", "2026-11-21T10:00", 90, 3
)
REFUSED = replace(DONE, file="", passed=0, refused="no storage")


def line_of(cell: Cell) -> Line:
    """A line of a run of which only btf is known."""
    return Line("6.1.0-56-amd64", PLAIN.name, {"btf": cell, "netlink": Cell()}, 90)


def test_record_is_of_one_file():
    """Of one cell as many as it had files; none of a tier of which nothing is known."""
    cell = Cell(ran=True, failed={f"{OTHER}::test": "why"})
    cell.passed_of[FILE] = 3
    found = records_of(line_of(cell), "6.1", FACTS)
    assert found == [
        replace(DONE, failed={}),
        replace(DONE, file=OTHER, passed=0, failed={f"{OTHER}::test": "why"}),
    ]


def test_refusal_is_a_record():
    """Without a file: no test was run."""
    (found,) = records_of(line_of(Cell(ran=True, refused="no storage")), "6.1", FACTS)
    assert (found.file, found.refused) == ("", "no storage")


def test_tests_that_were_never_reached_are_a_record():
    """Else the tier would be missing instead of broken."""
    (found,) = records_of(line_of(Cell(ran=True, failed={"all": "broken"})), "6.1", FACTS)
    assert (found.file, found.failed) == ("", {"all": "broken"})


def test_newer_takes_the_place_of_older():
    """Of the same file; another file, tier or condition stays."""
    others = [replace(DONE, file=OTHER), replace(DONE, tier="netlink")]
    newer = replace(DONE, passed=4)
    assert set(map(repr, merged([DONE, *others], [newer]))) == set(map(repr, [newer, *others]))


def test_refusal_and_files_exclude_each_other():
    """Whichever is newer."""
    other = replace(DONE, file=OTHER)
    assert merged([DONE, other], [REFUSED]) == [REFUSED]
    assert merged([REFUSED], [DONE]) == [DONE]


def test_each_commit_has_a_line():
    """The newest first; what the other line tells is empty, what nobody knows is not run."""
    newer = replace(DONE, commit="beef", date="2026-11-22T10:00", passed=5)
    older = replace(DONE, file=OTHER)
    table = table_of(lines_of([older, newer], TIERS), TIERS)
    of_kernel = [row for row in table.splitlines() if row.startswith("| 6.1.0")]
    assert of_kernel[0] == ("| 6.1.0-56-amd64 | as it is | 5 passed | not run | 90 s | beef | A |")
    assert of_kernel[1].startswith("| 6.1.0-56-amd64 | as it is | 3 passed | not run |")
    only_netlink = replace(older, tier="netlink")
    table = table_of(lines_of([only_netlink, newer], TIERS), TIERS)
    assert "| as it is |  | 3 passed | 90 s | c0ffee | B |" in table
    assert "- A: `a.py`" in table


def test_what_was_not_run_has_a_line():
    """Each kernel of the list under each condition."""
    lines = lines_of([DONE], TIERS)
    assert [line.kernel for line in lines if line.condition == PLAIN.name] == [
        DONE.release if kernel.name == "6.1" else kernel.name for kernel in KERNELS
    ]


def test_file_is_read_as_it_was_written(tmp_path: Path):
    """And there need be none."""
    path = tmp_path / "records.json"
    assert load(path) == []
    records = [DONE, replace(REFUSED, tier="netlink", failed={"a": "why"})]
    save(path, records)
    assert load(path) == records


def test_nothing_is_missing_that_was_run_on_the_same_sources():
    """Every tier and every file; of a refused tier no file is waited for."""
    here = kernel_named("6.1"), PLAIN

    def has(*records: Record, tiers: tuple[str, ...] = ("btf",), sources: str = "hash") -> bool:
        return has_all(records, *here, (tiers, [FILE]), sources)

    assert has(DONE)
    assert has(REFUSED)
    assert not has(DONE, tiers=TIERS)
    assert not has(DONE, sources="another")
    assert not has(replace(DONE, file=OTHER))
    assert not has(replace(DONE, kernel="6.12"))
