"""connscope's own connections: known by the names that agents tell, hidden only if asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from connscope.report.report import START_TICK_NS, Name
from connscope.row.columns import Rows
from connscope.server.live import Live
from connscope.server.sight import Sight, ViewOptions
from tests.unit.server.reports import WALL_NS, Machine, client, closed, server, told
from tests.unit.server.web import authorized, post

AGENT = Name(100, 5, "own", "connscope")
SERVER = Name(200, 5, "own", "connscope")
OTHER: dict[str, Any] = {"pid": 7, "process_start_ns": 7, "comm": b"psql", "peer_port": 5432}


def seen(live: Live, at_s: float = 100.0, **options: Any) -> Sight:
    """A view."""
    return live.sight(ViewOptions(**options), at_s, WALL_NS)


def totals(live: Live, at_s: float = 100.0, **options: Any) -> tuple[int, int, int]:
    """Connections, own ones, and own ones that are hidden."""
    found = seen(live, at_s, **options).topology.totals
    return found["connections"], found["own"], found["own_hidden"]


def both(names: Sequence[Name] = (AGENT,), **other: Any) -> Live:
    """An own connection and another one."""
    rows = (client(), client(2, **OTHER | other))
    return told(Machine().report(*rows, names=tuple(names)))


def test_own_is_shown_and_counted():
    """Without being asked the server hides nothing."""
    assert totals(both()) == (2, 1, 0)


def test_own_is_hidden_and_counted():
    """Who does not want to see it hears how much it is."""
    assert totals(both(), own="hide") == (1, 1, 1)


def test_what_is_not_own_is_not_hidden():
    """Other names of a process mean nothing."""
    assert totals(both([Name(100, 5, "unit", "own")]), own="hide") == (2, 0, 0)


def test_pid_of_another_time_is_not_own():
    """Numbers of processes are used again."""
    assert totals(both(process_start_ns=5 + START_TICK_NS, pid=100), own="hide") == (1, 1, 1)


def test_start_is_known_to_a_tick():
    """BPF has it exactly, the agent reads its own from /proc."""
    exact = 41_248_486_076_448
    rounded = exact // START_TICK_NS * START_TICK_NS
    live = both([Name(7, rounded, "own", "connscope")], process_start_ns=exact)
    assert totals(live, own="hide") == (1, 1, 1)


def test_far_end_makes_it_own():
    """A browser's connection to the server: its own end is not marked, the other one is."""
    page = client()
    live = told(Machine().report(page, server(page), names=(SERVER,)))
    assert totals(live) == (1, 1, 0)
    assert totals(live, own="hide") == (0, 1, 1)


def test_negation_leaves_out_the_whole_connection():
    """Though the browser's end is not marked."""
    page = client()
    live = told(Machine().report(page, server(page), names=(SERVER,)))
    assert totals(live, filter="-is:own")[0] == 0


def test_filter_of_own_decides_alone():
    """Who asks for it by name gets it."""
    assert totals(both(), filter="is:own", own="hide") == (1, 1, 0)


def test_filter_of_others_does_not_count_own():
    """What is counted as hidden would be there."""
    assert totals(both(), filter="port:5432", own="hide") == (1, 0, 0)


def test_name_that_comes_later_marks_what_is_there():
    """Of rows, and of a filter that was asked before."""
    host = Machine()
    live = told(host.report(client(), client(2, **OTHER)))
    assert totals(live, filter="is:own")[0] == 0
    live.take(host.report(names=(AGENT,)), 102.0, WALL_NS)
    assert totals(live, 102.0, filter="is:own")[0] == 1
    assert totals(live, 102.0, own="hide") == (1, 1, 1)


def test_end_that_comes_later_marks_the_other():
    """A filter hears that a connection is own now, though its first row is as it was."""
    page, host = client(), Machine()
    live = told(host.report(page, names=(SERVER,)))
    assert totals(live, filter="is:own")[0] == 0
    live.take(host.report(server(page)), 102.0, WALL_NS)
    assert totals(live, 102.0, filter="is:own")[0] == 1
    assert totals(live, 102.0, filter="-is:own")[0] == 0


def test_filter_of_time_knows_own():
    """The two ways to ask agree."""
    assert totals(both(), filter="is:own age>1s")[0] == 1
    assert totals(both(), filter="-is:own age>1s")[0] == 1


def test_it_stays_own_when_it_closes():
    """A page that is reloaded leaves ended ones behind."""
    host = Machine()
    live = told(host.report(client(), names=(AGENT,)))
    live.take(host.report(ended=[closed(client())]), 101.0, WALL_NS)
    assert seen(live, 102.0).topology.totals["closed"] == 1
    assert seen(live, 102.0, own="hide").topology.totals["closed"] == 0


def test_another_boot_forgets():
    """Its processes are others."""
    host = Machine()
    live = told(host.report(client(), names=(AGENT,)))
    host.boot, host.sequence = "00000000-0000-4000-8000-000000000001", 0
    live.take(host.report(client()), 102.0, WALL_NS)
    assert totals(live, 102.0, own="hide") == (1, 0, 0)


def test_names_without_end_are_bounded():
    """Of a host that lies only the last are kept."""
    names = [Name(1000 + number, 5, "own", "connscope") for number in range(100)]
    rows: list[Rows] = [client(number, pid=1000 + number) for number in range(100)]
    assert totals(told(Machine().report(*rows, names=tuple(names)))) == (100, 64, 0)


@pytest.mark.parametrize("path", ["connections", "edges", "nodes"])
def test_details_mark_it(path: str):
    """A connection that is own says so, one that is not does not."""
    with authorized() as asker:
        assert post(asker, Machine().report(client(), client(2, **OTHER), names=(AGENT,))) == 204
        edge = {"host": "host:alpha", "address": "address:10.0.0.2"}
        query = {"group": "address"}
        ids = asker.get("/api/v1/topology", params=query).json()
        place = {"edges": ids["edges"][0]["id"], "nodes": edge["address"]}.get(path, "")
        found = asker.get(f"/api/v1/{path}/{place}".rstrip("/"), params=query).json()
        marked = {one["comm"]: one.get("own") for one in found["connections"]}
        assert marked == {"curl": True, "psql": None}


def test_details_without_own():
    """As the view that they are of."""
    with authorized() as asker:
        assert post(asker, Machine().report(client(), client(2, **OTHER), names=(AGENT,))) == 204
        found = asker.get("/api/v1/connections", params={"own": "hide"}).json()
        assert [one["comm"] for one in found["connections"]] == ["psql"]


def test_unknown_choice_is_refused():
    """With the words that there are."""
    with authorized() as asker:
        for path in ("topology", "connections"):
            answer = asker.get(f"/api/v1/{path}", params={"own": "maybe"})
            assert (answer.status_code, "show, hide" in answer.json()["error"]) == (400, True)


def test_an_empty_view_says_why():
    """Nothing but own connections, and these hidden."""
    with authorized() as asker:
        assert post(asker, Machine().report(client(), names=(AGENT,))) == 204
        found = asker.get("/api/v1/topology", params={"own": "hide"}).json()
        assert found["totals"]["empty"].startswith("Only connscope's own connections")
