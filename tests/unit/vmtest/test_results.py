"""Lines of the guest become cells, and a skipped test is a failure."""

from __future__ import annotations

import json
from typing import Any

import pytest
from vmtest.kernels import CONDITIONS, KERNELS, PLAIN, Kernel, kernel_named
from vmtest.results import Cell, cells_of
from vmtest.selection import needs_ipv6, tier_of
from vmtest.table import Line, exit_code, page_of, table_of

from connscope.row.words import Tier

TIERS = ("btf", "netlink")
ANY = Kernel("1.0", "1.0.", ("suite",), lacks={"btf": "too old"})


def told(*lines: dict[str, Any], condition: str = PLAIN.name) -> list[str]:
    """What a guest writes; its two tests are of netlink."""
    opened = {"what": "tiers", "tiers": {"btf": "no storage", "netlink": ""}}
    collected = {"what": "collected", "tests": {"a": "netlink", "b": "netlink"}}
    return [json.dumps({**line, "condition": condition}) for line in (opened, collected, *lines)]


def done(test: str, outcome: str = "passed", reason: str = "") -> dict[str, Any]:
    """A test that ended."""
    return {"what": "done", "test": test, "outcome": outcome, "reason": reason}


def netlink(*lines: dict[str, Any]) -> Cell:
    """The cell of netlink after those lines."""
    return cells_of(told(*lines), ANY, PLAIN, TIERS)["netlink"]


def test_all_passed():
    """The cell counts them and is good."""
    cell = netlink(done("a"), done("b"))
    assert (cell.passed, cell.failed, cell.is_good) == (2, {}, True)


@pytest.mark.parametrize("outcome", ["failed", "skipped"])
def test_skipped_is_failed(outcome: str):
    """The tier works, so nothing may be left out."""
    cell = netlink(done("a"), done("b", outcome, "why"))
    assert (cell.passed, cell.failed, cell.is_good) == (1, {"b": f"{outcome}: why"}, False)


def test_failure_of_a_fixture_outweighs_its_test():
    """Whichever comes first."""
    assert netlink(done("a"), done("a", "failed", "after"), done("a"), done("b")).passed == 1


def test_test_that_hung_has_failed():
    """And so have those behind it."""
    cell = netlink({"what": "start", "test": "a"})
    assert cell.failed == {
        "a": "running: did not end",
        "b": "missing: never run: the guest ended",
    }


def test_refused_tier_needs_an_excuse():
    """Where the list does not say that it lacks something, not to open is a failure."""
    lines = told(done("a"), done("b"))
    assert cells_of(lines, ANY, PLAIN, TIERS)["btf"].is_good
    assert not cells_of(lines, kernel_named("6.1"), PLAIN, TIERS)["btf"].is_good


def test_nothing_told_is_not_run():
    """Neither good nor counted as zero failures."""
    cell = cells_of([], ANY, PLAIN, TIERS)["netlink"]
    assert (str(cell), cell.is_good) == ("not run", False)


def test_tests_that_were_never_reached_have_failed():
    """pytest broke before it had collected."""
    cell = cells_of(told()[:1], ANY, PLAIN, TIERS)["netlink"]
    assert not cell.is_good


def test_other_conditions_are_left_out():
    """One file has the lines of a whole boot."""
    lines = told(done("a"), done("b"), condition="another")
    assert not cells_of(lines, ANY, PLAIN, TIERS)["netlink"].ran


@pytest.mark.parametrize(
    ("file", "parameters", "tier"),
    [
        ("test_contract.py", {"each_tier": Tier.PROCFS}, "procfs"),
        ("netlink/test_look.py", {}, "netlink"),
        ("test_life.py", {"size": 3}, "btf"),
    ],
)
def test_tier_of_a_test(file: str, parameters: dict[str, Any], tier: str):
    """By its fixture, else by the path of its file, else the best."""
    assert tier_of(file, parameters) == tier


def test_tests_of_ipv6_are_known_by_name():
    """As their parameters are called."""
    assert needs_ipv6("test_what[btf-v4-mapped]")
    assert not needs_ipv6("test_what[btf-ipv4]")


def test_every_kernel_and_condition_has_a_name_of_its_own():
    """By which it is asked for and found."""
    assert len({each.name for each in KERNELS}) == len(KERNELS)
    assert len({each.name for each in CONDITIONS}) == len(CONDITIONS)
    with pytest.raises(ValueError, match=r"there are 5\.10"):
        kernel_named("4.4")


def test_table_names_what_failed_and_what_was_refused():
    """A row for each line, the reasons below."""
    cells = cells_of(told(done("a"), done("b", "failed", "why")), ANY, PLAIN, TIERS)
    table = table_of([Line("1.0.3", PLAIN.name, cells, 9)], TIERS)
    assert "| 1.0.3 | as it is | not possible | 1 passed, 1 FAILED | 9 s |" in table
    assert "- 1.0.3, as it is, btf: no storage (too old)" in table
    assert "- 1.0.3, as it is, netlink: `b`: failed: why" in table


def test_page_says_how_it_was_made():
    """That it is generated, and how much smaller everything was."""
    page = page_of([], TIERS, 8)
    assert page.startswith("<!-- Generated")
    assert "divided by 8" in page


def test_exit_code_tells_a_broken_promise_from_a_kernel_that_can_not_be_had():
    """A guest that said nothing is no success."""
    good = Line("1.0.3", "a", {"netlink": netlink(done("a"), done("b"))}, 9)
    bad = Line("1.0.3", "b", {"netlink": netlink(done("a"), done("b", "failed"))}, 9)
    silent = Line("1.0.3", "c", {"netlink": Cell()}, 9)
    unavailable = Line("1.0", "a", {"netlink": Cell()})
    of = ["netlink"]
    assert exit_code([good], of) == 0
    assert exit_code([good, bad], of) == exit_code([good, silent], of) == 1
    assert exit_code([good, unavailable], of) == exit_code([], of) == 3
    assert exit_code([bad, unavailable], of) == 1
