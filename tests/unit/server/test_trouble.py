"""Fleets in which something goes wrong, and large ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from bench.rigs.fleet import PROCESSES, Fleet
from starlette.testclient import TestClient

from tests.unit.server.reports import WALL_NS, Machine, client, closed
from tests.unit.server.web import authorized, post

HOSTS = 100
CONNECTIONS = 1000
HOUR_NS = 3600 * 10**9


@pytest.fixture
def asker() -> Iterator[TestClient]:
    with authorized() as somebody:
        yield somebody


def got(asker: TestClient, path: str, **asked: Any) -> Any:
    """An answer."""
    answer = asker.get(f"/api/v1/{path}", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("jump_ns", [HOUR_NS, -HOUR_NS, -WALL_NS, (1 << 62) - 1 - WALL_NS])
def test_clock_that_jumps_opens_nothing(asker: TestClient, jump_ns: int):
    """The time of day of a host is set, forward or back or to nonsense: it is the same connection,
    and nothing happened."""
    machine = Machine()
    post(asker, machine.report(client()))
    before = got(asker, "topology")["totals"]
    (connection,) = got(asker, "connections")["connections"]
    for full in (False, True):
        report = machine.report(
            client(bytes_sent=1), full=full, wall_minus_boottime_ns=WALL_NS + jump_ns
        )
        assert post(asker, report) == 204
    after = got(asker, "topology")["totals"]
    names = ("connections", "opened", "closed", "failed")
    assert [after[name] for name in names] == [before[name] for name in names]
    (again,) = got(asker, "connections")["connections"]
    assert again["connection_id"] == connection["connection_id"]


def test_clock_that_jumps_moves_all_times(asker: TestClient):
    """Times of day are told by the clock of now: durations stay."""
    machine = Machine()
    post(asker, machine.report(client()))
    (before,) = got(asker, "connections")["connections"]
    post(asker, machine.report(client(), wall_minus_boottime_ns=WALL_NS + HOUR_NS))
    (after,) = got(asker, "connections")["connections"]
    assert after["opened_at"] > before["opened_at"]


def test_reports_that_never_came_are_lost(asker: TestClient):
    """The host says how many; one that came too late to fit is not among them."""
    machine = Machine()
    post(asker, machine.report(client()))
    for _ in range(3):
        machine.report(client())
    assert post(asker, machine.report(ended=[closed(client())])) == 409
    assert post(asker, machine.report(full=True)) == 204
    assert got(asker, "hosts")["hosts"][0]["lost"] == 3


def test_five_thousand_nodes_are_all_shown(asker: TestClient):
    """Each process of a hundred hosts, and no connection in two edges."""
    fleet = Fleet(HOSTS, CONNECTIONS)
    assert {post(asker, report) for report in fleet.full()} == {204}
    assert {post(asker, report) for report in fleet.second()} == {204}
    found = got(asker, "topology", limit=5000)
    total = found["totals"]
    assert len(found["nodes"]) == total["shown_nodes"] == HOSTS * PROCESSES
    assert sum(edge["open"] for edge in found["edges"]) == HOSTS * CONNECTIONS // 2
    assert {edge["ends"] for edge in found["edges"]} == {2}


def test_what_is_not_shown_of_many_nodes_is_summed(asker: TestClient):
    """The busiest are shown; they and the others are all."""
    fleet = Fleet(HOSTS, CONNECTIONS)
    for report in fleet.full():
        post(asker, report)
    totals = got(asker, "topology", limit=300)["totals"]
    assert totals["shown_nodes"] == 300
    assert totals["nodes"] == HOSTS * PROCESSES
    assert totals["others"]["nodes"] == totals["nodes"] - 300
