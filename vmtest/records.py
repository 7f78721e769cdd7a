"""What was found by all runs so far: ``docs/support.json``, of which ``docs/support.md`` is made.

A record is of one file of tests for one tier on one kernel under one condition. A newer one takes
the place of an older one, so several runs fill one table, and one that was cut off has lost
nothing that it had found.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from vmtest.kernels import CONDITIONS, KERNELS, Condition, Kernel
from vmtest.results import Cell
from vmtest.table import Line

__all__ = ("Record", "has_all", "lines_of", "load", "merged", "records_of", "save")


@dataclass(frozen=True, slots=True)
class Record:
    """What became of one file of tests.

    Attributes:
        kernel: its name in the list.
        condition: in words.
        tier: in words.
        file: of tests; empty: of none, the tier can not be had or pytest did not come to them.
        release: of the kernel.
        commit: that was tested.
        sources: the hash of ``src/`` and ``bpf/``.
        date: of the run, ISO.
        seconds: of the whole boot.
        passed: how many tests.
        failed: test → reason.
        refused: why the tier can not be had.
    """

    kernel: str
    condition: str
    tier: str
    file: str
    release: str
    commit: str
    sources: str
    date: str
    seconds: int
    passed: int = 0
    failed: dict[str, str] | None = None
    refused: str = ""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Of what it is."""
        return self.kernel, self.condition, self.tier, self.file


def records_of(line: Line, kernel: str, facts: dict[str, str]) -> list[Record]:
    """Those of one line of a run; none of tiers of which nothing is known.

    Args:
        line: what was found.
        kernel: its name in the list.
        facts: `Record.commit`, ``sources`` and ``date``.
    """
    found = list[Record]()
    for tier, cell in line.cells.items():
        if not cell.ran:
            continue
        of = Record(
            kernel=kernel,
            condition=line.condition,
            tier=tier,
            file="",
            release=line.kernel,
            commit=facts["commit"],
            sources=facts["sources"],
            date=facts["date"],
            seconds=line.seconds,
        )
        if cell.refused or not cell.files:
            found.append(replace(of, refused=cell.refused, failed=cell.failed))
        for file in [] if cell.refused else sorted(cell.files):
            failed = {
                test: why for test, why in cell.failed.items() if test.partition("::")[0] == file
            }
            found.append(replace(of, file=file, passed=cell.passed_of[file], failed=failed))
    return found


def merged(old: Iterable[Record], new: Iterable[Record]) -> list[Record]:
    """All, in the order of the list; of the same thing the new one. What is known of a tier as a
    whole takes the place of all that was known of its files, and the other way round."""
    kept = {record.key: record for record in old}
    for record in new:
        whole = (*record.key[:3], "")
        for key in list(kept):
            if key == whole or (key[:3] == whole[:3] and not record.file):
                del kept[key]
        kept[record.key] = record
    kernels = [kernel.name for kernel in KERNELS]
    conditions = [condition.name for condition in CONDITIONS]
    return sorted(
        (each for each in kept.values() if each.kernel in kernels),
        key=lambda each: (kernels.index(each.kernel), conditions.index(each.condition), each.key),
    )


def has_all(
    records: Iterable[Record],
    kernel: Kernel,
    condition: Condition,
    wanted: tuple[Sequence[str], Sequence[str]],
    sources: str,
) -> bool:
    """Whether all that is wanted was found of just these sources.

    Args:
        records: so far.
        kernel: which.
        condition: which.
        wanted: tiers, and files of tests.
        sources: the hash of ``src/`` and ``bpf/``.
    """
    found = [
        record
        for record in records
        if (record.kernel, record.condition, record.sources)
        == (kernel.name, condition.name, sources)
    ]
    tiers, files = wanted
    return {record.tier for record in found} >= set(tiers) and (
        {record.file for record in found} >= set(files) or all(record.refused for record in found)
    )


def lines_of(records: Sequence[Record], tiers: Sequence[str]) -> list[Line]:
    """The lines of the page: for each kernel and condition one for each commit that was tested,
    the newest first; where nothing was run, one that says so."""
    lines = list[Line]()
    for kernel in KERNELS:
        for condition in CONDITIONS:
            here = [
                each
                for each in records
                if (each.kernel, each.condition) == (kernel.name, condition.name)
            ]
            lines += _lines_of_one(here, kernel, condition, tiers)
    return lines


def _lines_of_one(
    records: Sequence[Record], kernel: Kernel, condition: Condition, tiers: Sequence[str]
) -> list[Line]:
    unknown = [tier for tier in tiers if tier not in {record.tier for record in records}]
    if not records:
        return [Line(kernel.name, condition.name, {tier: Cell() for tier in tiers})]
    excuses = {**kernel.lacks, **condition.lacks}
    lines = list[Line]()
    newest_first = sorted(records, key=lambda each: each.date, reverse=True)
    for commit in dict.fromkeys(record.commit for record in newest_first):
        of_commit = [record for record in newest_first if record.commit == commit]
        cells = dict[str, Cell]()
        for tier in tiers:
            of_tier = [record for record in of_commit if record.tier == tier]
            cells[tier] = _cell_of(of_tier, excuses.get(tier, ""))
            # What another line tells is not missing here.
            cells[tier].is_elsewhere = not of_tier and tier not in unknown
        files = {record.file for record in of_commit if record.file}
        first = of_commit[0]
        seconds = max(record.seconds for record in of_commit)
        line = Line(first.release, condition.name, cells, seconds, commit, tuple(sorted(files)))
        lines.append(line)
    return lines


def _cell_of(records: Sequence[Record], excuse: str) -> Cell:
    cell = Cell(excuse=excuse, ran=bool(records))
    for record in records:
        cell.passed_of[record.file] += record.passed
        cell.failed |= record.failed or {}
        cell.refused = cell.refused or record.refused
    return cell


def load(path: Path) -> list[Record]:
    """All that is there; none without the file."""
    return [Record(**each) for each in json.loads(path.read_text())] if path.exists() else []


def save(path: Path, records: Iterable[Record]) -> None:
    """Writes them, a line each."""
    lines = [json.dumps(asdict(record), ensure_ascii=False) for record in records]
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n")
