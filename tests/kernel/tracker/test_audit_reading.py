"""The counters of namespaces, read by way of processes that come and go."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.kernel.namespace import Namespace

from connscope.kernel.host.network_namespaces import find_network_namespaces
from connscope.tracker import audit_reading
from connscope.tracker.audit_reading import read_counters

NOBODY = Path("/proc/4194304/ns/net")
ELSEWHERE = Path("/proc/self/ns/net")


@pytest.fixture
def inode() -> Iterator[int]:
    """A namespace with a process in it."""
    with Namespace() as namespace:
        with namespace.entered():
            somebody = subprocess.Popen(["sleep", "1000"])
        yield namespace.inode
        somebody.kill()
        somebody.wait()


@pytest.mark.parametrize("wrong", [NOBODY, ELSEWHERE], ids=["ended", "went elsewhere"])
def test_process_that_does_not_lead_there_any_more_is_no_way(
    wrong: Path, inode: int, monkeypatch: pytest.MonkeyPatch
):
    """Another one is looked for: never are the counters of one namespace taken for another's."""
    expected, wrongs = read_counters({inode}).found[inode].cookie, [wrong]

    def find() -> dict[int, Path]:
        right = find_network_namespaces()
        return right | {inode: wrongs.pop()} if wrongs else right

    monkeypatch.setattr(audit_reading, "find_network_namespaces", find)
    read = read_counters().found
    assert wrongs == []
    assert read[inode].cookie == expected
    assert read[ELSEWHERE.stat().st_ino].cookie != expected


def test_way_of_before_is_taken_again(inode: int, monkeypatch: pytest.MonkeyPatch):
    """It saves a walk through all processes, as long as it leads there."""
    first, walks = read_counters({inode}), list[None]()

    def find() -> Mapping[int, Path]:
        walks.append(None)
        return first.paths

    monkeypatch.setattr(audit_reading, "find_network_namespaces", find)
    assert read_counters({inode}, first.paths).found.keys() == {inode}
    assert walks == []
    assert read_counters({inode}, {inode: ELSEWHERE}).found.keys() == {inode}
    assert walks == [None]


def test_namespace_that_nobody_leads_to_is_not_found(inode: int, monkeypatch: pytest.MonkeyPatch):
    """After some tries."""
    wrong = {inode: NOBODY}
    monkeypatch.setattr(audit_reading, "find_network_namespaces", lambda: wrong)
    assert read_counters() == ({}, frozenset(), {})


def test_only_those_that_matter_are_read(inode: int):
    """The rest costs nothing."""
    assert read_counters({inode}).found.keys() == {inode}
