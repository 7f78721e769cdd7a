"""Reports that waited: what ended counts, what was open is not shown, and no clock is compared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from connscope.report.encode import encode
from connscope.report.report import Report
from connscope.server.lateness import AGE, told_age_s
from connscope.server.state import Server
from tests.unit.server.reports import SECOND_NS, WALL_NS, Machine, client, closed, refused
from tests.unit.server.web import authorized, made_server

PATH = "/api/v1/reports"
MINUTES_5 = 300
DAY_NS = 86400 * SECOND_NS


class Agent(NamedTuple):
    """Who sends, and a look into the server that it sends to."""

    client: TestClient
    server: Server

    def get(self, path: str) -> Response:
        """What the server answers."""
        return self.client.get(path)


@contextmanager
def agent_of(server: Server) -> Iterator[Agent]:
    """One that has the token."""
    with authorized(server) as client:
        yield Agent(client, server)


@pytest.fixture
def agent() -> Iterator[Agent]:
    with agent_of(made_server()) as somebody:
        yield somebody


def post(agent: Agent, report: Report, age_s: float | None = None) -> int:
    """Sends a report that waited so long, or of which nobody says how long; the status."""
    headers = {} if age_s is None else {AGE: str(round(age_s * 1000))}
    return agent.client.post(PATH, content=encode(report), headers=headers).status_code


def totals(agent: Agent) -> Any:
    """What is shown of all."""
    return agent.get("/api/v1/topology").json()["totals"]


def is_open(agent: Agent) -> list[int]:
    """The connections that are shown as open."""
    window = agent.server.live.window
    found: list[int] = window.rows["connection_id"][window.is_connection()].tolist()
    return sorted(found)


def host(agent: Agent) -> Any:
    """What is said of the only host."""
    (found,) = agent.get("/api/v1/hosts").json()["hosts"]
    return found


def backlog(machine: Machine, seconds: int, *, full_every: int = 30) -> list[tuple[Report, int]]:
    """A report a second, each with a connection that opened and one that closed; and their ages."""
    return [
        (
            machine.report(
                client(10 + number),
                ended=[closed(client(1000 + number))],
                full=number % full_every == 0,
            ),
            seconds - number,
        )
        for number in range(seconds)
    ]


def test_late_report_does_not_change_what_is_open(agent: Agent):
    """Full or not: it was open then."""
    machine = Machine()
    assert post(agent, machine.report(client(1))) == 204
    assert post(agent, machine.report(client(2), gone=[1]), MINUTES_5) == 204
    assert post(agent, machine.report(client(3), full=True), MINUTES_5) == 204
    assert is_open(agent) == [1]


def test_what_ended_of_a_late_report_counts(agent: Agent):
    """Once, also if it is sent again because the answer was not heard."""
    machine = Machine()
    post(agent, machine.report(client(1)))
    late = machine.report(ended=[closed(client(2)), refused()])
    assert [post(agent, late, MINUTES_5), post(agent, late, MINUTES_5 + 1)] == [204, 204]
    assert (totals(agent)["closed"], totals(agent)["failed"]) == (1, 1)


def test_what_ended_late_is_not_open(agent: Agent):
    """It was shown as open before the server was away."""
    machine = Machine()
    post(agent, machine.report(client(1), client(2)))
    post(agent, machine.report(ended=[closed(client(1))]), MINUTES_5)
    assert is_open(agent) == [2]


@pytest.mark.parametrize("opened_s", [None, 1])
def test_late_end_is_no_traffic_of_now(agent: Agent, opened_s: int | None):
    """Nor has it opened within the window, whether or not it is known when it did."""
    machine = Machine()
    now_ns = machine.look().time_ns
    opened_ns = 0 if opened_s is None else now_ns - opened_s * SECOND_NS
    post(agent, machine.report())
    row = client(2, opened_ns=opened_ns, bytes_sent=10**9)
    post(agent, machine.report(ended=[closed(row)]), MINUTES_5)
    found = totals(agent)
    assert (found["closed"], found["opened"], found["sent_bps"]) == (1, 0, 0)


def test_report_that_waited_less_than_the_window_is_shown(agent: Agent):
    """A hiccup of the network costs nothing."""
    machine = Machine()
    assert post(agent, machine.report(client(1)), 14.9) == 204
    assert post(agent, machine.report(client(2)), 14.9) == 204
    assert is_open(agent) == [1, 2]
    assert "behind_s" not in host(agent)


def test_window_is_that_of_the_configuration():
    """What is late for one that shows two seconds is not for another."""
    with agent_of(made_server(window_s=2)) as agent:
        assert post(agent, Machine().report(client(1)), 2.1) == 204
        assert is_open(agent) == []


def test_first_report_after_a_backlog_needs_a_full_one(agent: Agent):
    """What it builds on was late; then all is as if nothing had been."""
    machine = Machine()
    post(agent, machine.report(client(1)))
    post(agent, machine.report(client(2)), MINUTES_5)
    assert post(agent, machine.report(client(3)), 0.1) == 409
    assert is_open(agent) == [1]
    assert post(agent, machine.report(client(3), client(4), full=True)) == 204
    assert is_open(agent) == [3, 4]
    assert post(agent, machine.report(client(5))) == 204


def test_late_reports_were_not_missed(agent: Agent):
    """They came, so nothing of them is lost."""
    machine = Machine()
    post(agent, machine.report(client(1)))
    for _ in range(3):
        post(agent, machine.report(), MINUTES_5)
    post(agent, machine.report(full=True))
    assert host(agent)["missed"] == 0


def test_backlog_of_five_minutes(agent: Agent):
    """None is refused, all that ended counts, and what is shown is of the last window only."""
    machine = Machine()
    post(agent, machine.report(client(1)))
    waited = backlog(machine, MINUTES_5)
    late = [(report, age_s) for report, age_s in waited if age_s > 15]
    assert {post(agent, report, age_s) for report, age_s in late} == {204}
    assert is_open(agent) == [1]
    assert {post(agent, report, age_s) for report, age_s in waited[len(late) :]} == {409}
    assert is_open(agent) == [1]
    assert post(agent, machine.report(client(5), full=True)) == 204
    assert is_open(agent) == [5]
    assert totals(agent)["closed"] == MINUTES_5


def test_fresh_server_meets_a_backlog(agent: Agent):
    """It has nothing to compare with, and shows nothing until something is of now."""
    machine = Machine()
    first, *rest = backlog(machine, 40, full_every=7)
    assert post(agent, *first) == 204
    assert {post(agent, report, age_s) for report, age_s in rest if age_s > 15} == {204}
    assert is_open(agent) == []
    assert totals(agent)["closed"] == 25
    assert post(agent, machine.report(client(5), full=True)) == 204
    assert is_open(agent) == [5]


def test_machine_that_booted_meanwhile(agent: Agent):
    """What it had open before is over, and what waited of the new boot is late all the same."""
    machine = Machine()
    post(agent, machine.report(client(1)))
    machine.boot = "other"
    assert post(agent, machine.report(client(2), full=True, boot_id="other"), MINUTES_5) == 204
    assert is_open(agent) == []
    assert post(agent, machine.report(client(3), full=True, boot_id="other")) == 204
    assert is_open(agent) == [3]


@pytest.mark.parametrize("skew_ns", [-9000 * DAY_NS, -60 * SECOND_NS, 60 * SECOND_NS, DAY_NS])
def test_skewed_clock_is_not_late(agent: Agent, skew_ns: int):
    """Whatever day the machine thinks it is; a recording is of another one too."""
    machine = Machine()
    for number in (1, 2):
        report = machine.report(client(number), wall_minus_boottime_ns=WALL_NS + skew_ns)
        assert post(agent, report, 0.01) == 204
    assert is_open(agent) == [1, 2]


@pytest.mark.parametrize("step_ns", [-MINUTES_5 * SECOND_NS, MINUTES_5 * SECOND_NS])
@pytest.mark.parametrize("of", ["machine", "server"])
def test_clock_that_is_set_is_not_late(
    agent: Agent, monkeypatch: pytest.MonkeyPatch, step_ns: int, of: str
):
    """Of the machine or of the server, forth or back, between two reports."""
    machine, wall = Machine(), {"machine": 0, "server": 0}
    monkeypatch.setattr("time.time_ns", lambda: WALL_NS + wall["server"])
    for number in (1, 2, 3):
        report = machine.report(client(number), wall_minus_boottime_ns=WALL_NS + wall["machine"])
        assert post(agent, report, 0.01) == 204
        wall[of] = step_ns
    assert is_open(agent) == [1, 2, 3]


def test_host_says_how_far_behind_it_is(agent: Agent):
    """Until what is shown is of now: a delta that does not fit does not show anything."""
    machine = Machine()
    post(agent, machine.report(client(1)))
    post(agent, machine.report(), MINUTES_5)
    assert host(agent)["behind_s"] == 300
    assert "connscope_server_hosts_behind 1" in agent.get("/metrics").text
    assert post(agent, machine.report(), 16) == 204
    assert post(agent, machine.report(), 0) == 409
    assert host(agent)["behind_s"] == 16
    post(agent, machine.report(full=True), 0)
    assert "behind_s" not in host(agent)
    assert "connscope_server_hosts_behind 0" in agent.get("/metrics").text


def test_late_reports_may_come_ten_times_as_often():
    """And no more often than that; those of now are counted apart."""
    with agent_of(made_server(server_reports_per_s=0.5)) as agent:
        machine = Machine()
        statuses = [post(agent, machine.report(), MINUTES_5) for _ in range(40)]
        refused_at = statuses.index(429)
        assert 10 <= refused_at < 40
        assert set(statuses[:refused_at]) == {204}
        assert post(agent, machine.report(full=True)) == 204
        assert post(agent, machine.report()) == 429


def test_late_reports_of_many_ends_come_more_slowly():
    """They all come into the window; one that is larger than what is allowed at once still can."""
    many = [closed(client(number)) for number in range(1, 3001)]
    with agent_of(made_server(server_reports_per_s=0.1)) as agent:
        machine = Machine()
        assert post(agent, machine.report(ended=many), MINUTES_5) == 204
        assert post(agent, machine.report(), MINUTES_5) == 429


@pytest.mark.parametrize("said", ["", "-1", "1e9", "99999999999999", "nan", "٣٣٣٣٣", "60000 "])
def test_nonsense_is_no_age(said: str):
    """Such a report is one of now."""
    assert told_age_s(said) == 0


def test_age_is_in_milliseconds():
    """As its name says."""
    assert told_age_s("15001") == 15.001
