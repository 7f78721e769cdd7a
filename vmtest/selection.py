"""A plugin of pytest: only the tests of tiers that can be had, and a line for what each did."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from connscope.capture.contract import CONTRACT
from connscope.row.words import Tier, word

__all__ = ("needs_ipv6", "tier_of")

RESULTS = Path("/run/share/results.jsonl")
SIX = ("ipv6", "v4-mapped", "IPv6", "::")


def tier_of(file: str, parameters: dict[str, Any]) -> str:
    """The tier that a test is about: that of its fixture, else that in the path of its file, else
    the best one."""
    for value in parameters.values():
        if isinstance(value, Tier):
            return word(value)
    named = [word(tier) for tier in CONTRACT if word(tier) in file]
    return named[0] if named else word(next(iter(CONTRACT)))


def needs_ipv6(name: str) -> bool:
    """Whether a test is of IPv6 alone, by its name."""
    return any(sign in name for sign in SIX)


def _tell(**line: Any) -> None:
    with RESULTS.open("a") as results:
        line["condition"] = os.environ["VMTEST_CONDITION"]
        results.write(json.dumps(line) + "\n")


def _tier(item: pytest.Item) -> str:
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    return tier_of(item.path.relative_to(item.config.rootpath).as_posix(), parameters)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the others and tells how many there are of each tier."""
    tiers, only_four = os.environ["VMTEST_TIERS"].split(), os.environ.get("TEST_FAMILIES") == "4"
    kept, left = list[pytest.Item](), list[pytest.Item]()
    for item in items:
        wanted = _tier(item) in tiers and not (only_four and needs_ipv6(item.name))
        (kept if wanted else left).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left)
    _tell(what="collected", tests={item.nodeid: _tier(item) for item in kept})


def pytest_runtest_logstart(nodeid: str) -> None:
    """So that it can be seen which one hangs."""
    _tell(what="start", test=nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """What became of it."""
    if report.when == "call" or report.outcome != "passed":
        reason = "" if report.passed else str(report.longrepr).strip().splitlines()[-1]
        if not report.passed and hasattr(report.longrepr, "reprcrash"):
            reason = str(getattr(report.longrepr, "reprcrash", "")).splitlines()[0]
        _tell(what="done", test=report.nodeid, outcome=report.outcome, reason=reason[:1000])
