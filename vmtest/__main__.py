"""Runs the kernel tests on other kernels and writes docs/support.md.

python -m vmtest [--kernel NAME] [--tier TIER…] [--condition NAME…] [--all]
        [--brief] [--tests FILE…] [--record] [--missing] [--shell]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from connscope.capture.contract import CONTRACT
from connscope.row.words import word
from vmtest.archive import MIRROR, Archive, ArchiveError, Installed
from vmtest.kernels import (
    BRIEF,
    CONDITIONS,
    HEART,
    KERNELS,
    PLAIN,
    SELECTED,
    Condition,
    Kernel,
    kernel_named,
)
from vmtest.machine import TREE, boot, fill_share, take_snapshot
from vmtest.records import has_all, lines_of, load, merged, records_of, save
from vmtest.results import cells_of
from vmtest.table import Line, exit_code, page_of, table_of

SCALE = 8
LIMIT_S = 3600
BOOTS = 2
TIERS = [word(tier) for tier in CONTRACT]
LOGS = TREE / "build" / "vmtest"
PAGE = TREE / "docs" / "support.md"
RECORDS = PAGE.with_suffix(".json")


def main() -> int:
    """Runs; exit code 1 if a tier did not keep a promise, 3 if a kernel can not be had."""
    parser = argparse.ArgumentParser(prog="python -m vmtest", description=__doc__)
    parser.add_argument("--kernel", help=", ".join(kernel.name for kernel in KERNELS))
    parser.add_argument("--tier", nargs="+", choices=TIERS)
    parser.add_argument("--condition", nargs="+", choices=[each.name for each in CONDITIONS])
    parser.add_argument("--all", action="store_true", help="every kernel, every condition")
    parser.add_argument("--brief", action="store_true", help="only the core of the contract")
    parser.add_argument("--tests", nargs="+", help="only these files or folders")
    parser.add_argument("--record", action="store_true", help="into docs/support.md, as with --all")
    parser.add_argument("--missing", action="store_true", help="only what is not there yet")
    parser.add_argument("--shell", action="store_true", help="a shell in the guest instead")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # and so ends the guest
    cache = Path(os.environ.get("VMTEST_CACHE") or Path.home() / ".cache/connscope/vmtest")
    archive = Archive(cache, os.environ.get("VMTEST_MIRROR", MIRROR))
    lines, facts = list[Line](), facts_of()
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as snapshot:
        take_snapshot(Path(snapshot))
        for kernel in kernels_of(asked):
            for found in run_kernel(kernel, archive, Path(snapshot), asked):
                lines += found
                if not asked.shell:
                    say(table_of(found, TIERS))
                if asked.all or asked.record:
                    record(kernel, found, facts)
    if asked.shell or (asked.missing and not lines):
        return 0
    return exit_code(lines, asked.tier or TIERS)


def kernels_of(asked: argparse.Namespace) -> list[Kernel]:
    """Those that were asked for; else what the gate runs."""
    if asked.all:
        return list(KERNELS)
    return [kernel_named(name) for name in ([asked.kernel] if asked.kernel else SELECTED)]


def tests_of(asked: argparse.Namespace) -> list[str]:
    """Files and folders; none for those of each condition."""
    if asked.tests:
        return list(asked.tests)
    if asked.brief:
        return list(BRIEF)
    return [] if asked.all or asked.kernel else [HEART]


def conditions_of(asked: argparse.Namespace, kernel: Kernel) -> list[Condition]:
    """Those that were asked for, with the same boot side by side; else the plain one."""
    if asked.condition:
        found = [each for each in CONDITIONS if each.name in asked.condition]
        found.sort(key=lambda each: each.boot)
    elif asked.shell or not (asked.all or asked.kernel):
        found = [PLAIN]
    else:
        found = sorted(CONDITIONS, key=lambda each: each.boot)
    if not asked.missing:
        return found
    records, sources = load(RECORDS), hash_of(TREE / "src", TREE / "bpf")
    tiers = asked.tier or TIERS
    return [
        each
        for each in found
        if not has_all(records, kernel, each, (tiers, tests_of(asked) or each.tests), sources)
    ]


def run_kernel(
    kernel: Kernel, archive: Archive, snapshot: Path, asked: argparse.Namespace
) -> Iterator[list[Line]]:
    """All its conditions, a boot for each command line; what each boot has found."""
    try:
        installed = archive.install(kernel)
    except ArchiveError as error:
        say(f"kernel {kernel.name} can not be had: {error}")
        yield [
            Line(kernel.name, each.name, cells_of([], kernel, each, TIERS))
            for each in conditions_of(asked, kernel)
        ]
        return
    for append, group in groupby(conditions_of(asked, kernel), lambda each: each.boot):
        together = list(group)
        say(f"kernel {installed.release} {append}")
        share = Path(tempfile.mkdtemp(dir=snapshot))
        plan = {
            "conditions": [each.name for each in together],
            "tiers": asked.tier or TIERS,
            "scale": SCALE,
            "tests": tests_of(asked),
        }
        fill_share(share, snapshot, plan)
        if asked.shell:
            (share / "shell").touch()
        seconds, told = run_guest(installed, share, append)
        found = list[Line]()
        for each in together:
            cells = cells_of(told, kernel, each, TIERS)
            files = {file for cell in cells.values() for file in cell.files}
            line = Line(installed.release, each.name, cells, seconds, files=tuple(sorted(files)))
            found.append(line)
        keep_logs(share, f"{installed.release} {append}".strip().replace(" ", "-"))
        yield found


def run_guest(installed: Installed, share: Path, append: str) -> tuple[int, list[str]]:
    """Boots and waits until it is over; how long it took and what it told.

    One that says nothing at all is booted once more: an emulated kernel may die while it patches
    itself (``Oops: int3``), long before any program of ours.
    """
    seconds, told = 0, list[str]()
    for _ in range(BOOTS):
        start = time.monotonic()
        ended = boot(installed.image, share, append, LIMIT_S, shutil.which("vng") or "vng")
        seconds = round(time.monotonic() - start)
        say(f"{seconds} s {ended}")
        told = (share / "results.jsonl").read_text().splitlines()
        if told or (share / "shell").exists():
            break
        say("the guest told nothing")
    return seconds, told


def keep_logs(share: Path, name: str) -> None:
    """The console, the lines of the guest and what doctor says there."""
    LOGS.mkdir(parents=True, exist_ok=True)
    for part in share.iterdir():
        if part.name.startswith(("console", "results.jsonl", "doctor")):
            shutil.copyfile(part, LOGS / f"{name}.{part.name}")
    shutil.rmtree(share)


def record(kernel: Kernel, lines: list[Line], facts: dict[str, str]) -> None:
    """Adds what was found to all that was found before, and makes the page of it."""
    new = [each for line in lines for each in records_of(line, kernel.name, facts)]
    records = merged(load(RECORDS), new)
    save(RECORDS, records)
    PAGE.write_text(page_of(lines_of(records, TIERS), TIERS, SCALE))


def facts_of() -> dict[str, str]:
    """What is tested."""
    changed = " and what is not committed" if git("status", "--porcelain", "src", "bpf") else ""
    return {
        "commit": git("rev-parse", "--short=12", "HEAD") + changed,
        "sources": hash_of(TREE / "src", TREE / "bpf"),
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
    }


def hash_of(*folders: Path) -> str:
    """Of the names and bytes of all their files."""
    digest = hashlib.sha256()
    for path in sorted(path for folder in folders for path in folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(str(path.relative_to(TREE)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def git(*arguments: str) -> str:
    """What git says; empty if this is no checkout."""
    done = subprocess.run(  # noqa: S603  # git
        ["/usr/bin/git", "-C", str(TREE), *arguments], check=False, capture_output=True, text=True
    )
    return done.stdout.strip()


def say(text: str) -> None:
    """Prints at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
