"""Reports of anybody: taken, or refused with a reason; never more than that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from connscope.report.encode import encode
from connscope.row.columns import ROW
from connscope.server import intake
from connscope.server.rate import Rates
from tests.unit.sample_rows import any_rows
from tests.unit.server.reports import Machine, client, closed, joined, refused, server
from tests.unit.server.web import authorized, made_server, post

PATH = "/api/v1/reports"
GOOD = encode(Machine("fuzz").report(client(), server(client(2)), ended=[closed(client(3))]))
STATUSES = {204, 409, 413, 422, 429}


@pytest.fixture
def agent() -> Iterator[TestClient]:
    with authorized() as somebody:
        yield somebody


def test_a_gap_needs_a_full_report(agent: TestClient):
    """A delta that builds on what never came."""
    machine = Machine()
    answer = agent.post(PATH, content=encode(machine.report(client(), full=False)))
    assert (answer.status_code, answer.json()["need"]) == (409, "full")
    assert post(agent, machine.report(client(), full=True)) == 204


def test_what_ended_is_kept_of_a_gap(agent: TestClient):
    """A server that was started anew gets what waited: nobody sends it again, but for answers that
    were not heard."""
    machine = Machine()
    machine.report(client())
    late = machine.report(client(5), ended=[closed(client(2)), refused()])
    assert [post(agent, late), post(agent, late)] == [409, 409]
    totals = agent.get("/api/v1/topology").json()["totals"]
    assert (totals["closed"], totals["failed"]) == (1, 1)


def test_gap_changes_nothing_that_is_open(agent: TestClient):
    """A delta alone does not say what else there is."""
    machine = Machine()
    post(agent, machine.report(client()))
    machine.report(client(4))
    assert post(agent, machine.report(client(5), gone=[1])) == 409
    assert agent.get("/api/v1/connections").json()["total"] == 1


def test_a_repeated_report_is_taken_once(agent: TestClient):
    """An agent that did not hear the answer sends it again."""
    machine = Machine()
    post(agent, machine.report(client()))
    again = machine.report(ended=[closed(client())])
    assert [post(agent, again), post(agent, again)] == [204, 204]
    assert agent.get("/api/v1/topology").json()["totals"]["closed"] == 1


def test_too_large_is_refused():
    """Before all of it is read, whether or not the sender says how large it is."""
    with authorized(made_server(server_report_bytes_max=4096)) as agent:
        assert agent.post(PATH, content=b"x" * 5000).status_code == 413
        assert agent.post(PATH, content=iter([b"x" * 3000] * 2)).status_code == 413


def test_report_that_trickles_is_not_waited_for(monkeypatch: pytest.MonkeyPatch):
    """Whoever sends it may send it again."""
    monkeypatch.setattr(intake, "BODY_S", 0.01)

    async def trickle() -> AsyncIterator[bytes]:
        while True:
            yield b""
            await asyncio.sleep(0.001)

    outcome = asyncio.run(made_server().intake.take(trickle(), None, "somebody"))
    assert outcome.status == 408


def test_too_large_decompressed_is_refused():
    """A small report that is a large one."""
    many = joined(client(number) for number in range(1, 4000))
    encoded = encode(Machine().report(many))
    limit = max(4096, len(encoded))
    assert many.nbytes > 8 * limit
    with authorized(made_server(server_report_bytes_max=limit)) as agent:
        answer = agent.post(PATH, content=encoded)
        assert answer.status_code in (204, 422)


def test_a_host_may_not_report_too_often():
    """Others still may."""
    with authorized(made_server(server_reports_per_s=0.1)) as agent:
        machine = Machine()
        statuses = [post(agent, machine.report(client())) for _ in range(3)]
        assert statuses[0] == 204
        assert statuses[-1] == 429
        assert post(agent, Machine("other").report(client())) == 204


def test_refusals_are_limited(agent: TestClient):
    """Reading nonsense costs us more than sending it."""
    statuses = [agent.post(PATH, content=b"x").status_code for _ in range(20)]
    assert statuses[0] == 422
    assert statuses[-1] == 429


def test_too_many_hosts():
    """A sentence with the key."""
    with authorized(made_server(server_hosts_max=1)) as agent:
        assert post(agent, Machine("one").report()) == 204
        answer = agent.post(PATH, content=encode(Machine("two").report()))
        assert answer.status_code == 429
        assert "server_hosts_max" in answer.json()["error"]


@pytest.mark.parametrize("host", ["a/b", "a>b", "a@b", "ä", "x" * 129, " ", ".."])
def test_host_ids_are_plain(agent: TestClient, host: str):
    """They become part of the ids of nodes."""
    status = post(agent, Machine(host, "name").report(client()))
    assert status == (204 if host == ".." else 422)


def test_one_id_twice_among_the_ended_counts_once(agent: TestClient):
    """The last row is the one."""
    rows = [closed(client(opened_ns=0), time_ns=time) for time in (5, 6)]
    machine = Machine()
    post(agent, machine.report())
    assert post(agent, machine.report(ended=rows)) == 204
    assert agent.get("/api/v1/topology").json()["totals"]["closed"] == 1


def refuse_nothing(server: Any) -> Any:
    """A server that takes as many reports as a fuzzer sends."""
    server.intake._rates = server.intake._refusals = Rates(1e9, 1e9)
    return server


@pytest.fixture(scope="module")
def sturdy() -> Iterator[TestClient]:
    with authorized(refuse_nothing(made_server())) as somebody:
        yield somebody


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A good report with some bytes changed, cut off or added."""
    content = bytearray(GOOD)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(content) - 1))
        match draw(st.sampled_from(("change", "cut", "add"))):
            case "change":
                content[place] = draw(st.integers(0, 255))
            case "cut":
                del content[place : place + draw(st.integers(1, 8))]
            case _:
                content[place:place] = draw(st.binary(max_size=8))
        content = content or bytearray(b"\0")
    return bytes(content)


@given(st.one_of(st.binary(max_size=200), damaged()))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_reports_are_answered(sturdy: TestClient, content: bytes):
    """With a status that says what to do."""
    assert sturdy.post(PATH, content=content).status_code in STATUSES


@given(any_rows(), any_rows())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_rows_can_be_asked_for(sturdy: TestClient, rows: Any, ended: Any):
    """Random bytes in all columns that have no order: the server answers every question."""
    for batch in (rows, ended):
        for name in ("time_ns", "opened_ns", "closed_ns", "process_start_ns"):
            batch[name] %= np.uint64(1 << 60)
    fuzz = Machine("fuzz")
    fuzz.sequence = test_any_rows_can_be_asked_for.__dict__.setdefault("sent", 1)
    report = fuzz.report(rows, ended=[ended], full=True)
    test_any_rows_can_be_asked_for.__dict__["sent"] += 1
    assert post(sturdy, report) == 204
    for path in ("topology?group=port", "topology?group=cidr", "connections", "listeners", "hosts"):
        assert sturdy.get(f"/api/v1/{path}").status_code == 200
    assert rows.dtype == ROW
