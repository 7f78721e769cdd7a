"""The feed over a WebSocket: begins, keeps pace with the viewer, goes on after a break."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from connscope.server import stream
from connscope.server.state import Server
from tests.unit.server.reports import WALL_NS, Machine, client
from tests.unit.server.web import STREAM, authorized, made_server

HELLO: dict[str, Any] = {"t": "hello", "protocol": 1}
FASTEST_S = 0.25


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def server(machine: Machine) -> Server:
    """Knows one connection; its clock goes on by a second with each look at it."""
    made = made_server()
    seconds = iter(range(100, 100_000))
    made.clock = lambda: float(next(seconds))
    made.live.take(machine.report(client()), 100.0, WALL_NS)
    return made


@pytest.fixture
def browser(server: Server) -> Iterator[TestClient]:
    with authorized(server) as somebody:
        yield somebody


@contextmanager
def feed(browser: TestClient, **hello: Any) -> Iterator[tuple[WebSocketTestSession, Any]]:
    """A feed, and its welcome."""
    with browser.websocket_connect(STREAM, ["connscope.v1"]) as socket:
        socket.send_json(HELLO | hello)
        yield socket, socket.receive_json()


def subscribe(socket: WebSocketTestSession, **view: Any) -> None:
    """Wants a view, as often as can be."""
    socket.send_json({"t": "subscribe", "view": view, "interval_s": FASTEST_S})


def taken(socket: WebSocketTestSession) -> Any:
    """The next message, acknowledged."""
    message = socket.receive_json()
    socket.send_json({"t": "ack", "sequence": message["sequence"]})
    return message


def test_begins_with_a_snapshot(browser: TestClient):
    """After welcome and subscription, all that is."""
    with feed(browser) as (socket, welcome):
        assert (welcome["t"], welcome["protocol"]) == ("welcome", 1)
        subscribe(socket)
        snapshot = socket.receive_json()
        assert (snapshot["t"], snapshot["sequence"]) == ("snapshot", 1)
        assert snapshot["totals"]["connections"] == 1
        assert snapshot["view"] == {
            "group": "process",
            "filter": "",
            "limit": 300,
            "metric": "throughput",
            "window_s": 15,
            "own": "show",
        }


def test_goes_on_with_deltas(browser: TestClient):
    """One after each ack."""
    with feed(browser) as (socket, _):
        subscribe(socket)
        assert taken(socket)["t"] == "snapshot"
        assert [taken(socket)["sequence"] for _ in range(3)] == [2, 3, 4]


def test_waits_for_the_ack(browser: TestClient, server: Server, machine: Machine):
    """A slow viewer gets one message for all that happened meanwhile, and it is the newest."""
    with feed(browser) as (socket, _):
        subscribe(socket)
        socket.receive_json()
        for number in range(2, 6):
            server.live.take(machine.report(client(number)), 200.0, WALL_NS)
        subscribe(socket, group="host")
        socket.send_json({"t": "ack", "sequence": 1})
        snapshot = socket.receive_json()
        assert (snapshot["sequence"], snapshot["totals"]["connections"]) == (2, 5)
        assert snapshot["view"]["group"] == "host"


def test_a_new_view_is_a_new_snapshot(browser: TestClient):
    """Under the same numbers."""
    with feed(browser) as (socket, _):
        subscribe(socket)
        first = taken(socket)
        subscribe(socket, filter="proc:curl")
        again = taken(socket)
        while again["t"] == "delta":
            again = taken(socket)
        assert again["t"] == "snapshot"
        assert again["strings"][: len(first["strings"])] == first["strings"]


def test_a_wrong_filter_is_a_notice(browser: TestClient):
    """The view that was shown goes on."""
    with feed(browser) as (socket, _):
        subscribe(socket)
        taken(socket)
        subscribe(socket, filter="port:")
        message = socket.receive_json()
        while message["t"] == "delta":
            socket.send_json({"t": "ack", "sequence": message["sequence"]})
            message = socket.receive_json()
        assert (message["t"], message["level"]) == ("notice", "warning")
        assert taken(socket)["t"] == "delta"


def test_resumes_where_it_was(browser: TestClient):
    """Same epoch, next sequence, a delta."""
    with feed(browser) as (socket, welcome):
        subscribe(socket)
        taken(socket)
    resume = {"epoch": welcome["epoch"], "sequence": 1}
    with feed(browser, resume=resume) as (socket, again):
        assert again["epoch"] == welcome["epoch"]
        subscribe(socket)
        delta = taken(socket)
        assert (delta["t"], delta["sequence"]) == ("delta", 2)


def test_resumes_with_what_was_lost(browser: TestClient):
    """The last message never arrived: it is sent again, and the next builds on it."""
    with feed(browser) as (socket, welcome):
        subscribe(socket)
        lost = socket.receive_json()
    with feed(browser, resume={"epoch": welcome["epoch"], "sequence": 0}) as (socket, _):
        assert taken(socket) == lost
        assert taken(socket)["sequence"] == 2


@pytest.mark.parametrize("sequence", [-1, 1, 99])
def test_resuming_anything_else_begins_anew(browser: TestClient, sequence: int):
    """A new epoch, a snapshot."""
    with feed(browser) as (socket, welcome):
        subscribe(socket)
        for _ in range(3):
            taken(socket)
    resume = {"epoch": welcome["epoch"], "sequence": sequence}
    with feed(browser, resume=resume) as (socket, again):
        assert again["epoch"] != welcome["epoch"]
        subscribe(socket)
        assert taken(socket)["t"] == "snapshot"


@pytest.mark.parametrize(
    "said",
    [
        *("", "x", "[]", "{}", '{"t":"other"}', '{"t":"ack","sequence":"x"}', "x" * 100_000),
        '{"t":"subscribe","view":{"group":"nothing"}}',
        '{"t":"subscribe","view":{"limit":0}}',
        '{"t":"subscribe","view":{"window_s":16}}',
        '{"t":"subscribe","interval_s":null}',
    ],
)
def test_nonsense_ends_the_feed(browser: TestClient, server: Server, said: str):
    """With a word why."""
    with feed(browser) as (socket, _):
        socket.send_text(said)
        bye = socket.receive_json()
        assert bye["t"] == "bye"
        assert bye["reason"]
        with pytest.raises(WebSocketDisconnect):
            socket.receive_json()
    assert server.viewers == 0


def test_another_protocol_is_refused(browser: TestClient):
    """Of the WebSocket, or of hello."""
    with pytest.raises(WebSocketDisconnect), browser.websocket_connect(STREAM, ["other.v1"]):
        pass
    with feed(browser, protocol=2) as (_, bye):
        assert bye["t"] == "bye"


def test_too_many_viewers_are_refused():
    """With the key that says how many there may be."""
    with (
        authorized(made_server(server_viewers_max=1)) as browser,
        feed(browser),
        browser.websocket_connect(STREAM, ["connscope.v1"]) as other,
    ):
        assert "server_viewers_max" in other.receive_json()["reason"]


def test_a_viewer_that_says_nothing_is_left(browser: TestClient, monkeypatch: pytest.MonkeyPatch):
    """Whether or not it said hello."""
    monkeypatch.setattr(stream, "HELLO_S", 0.01)
    with browser.websocket_connect(STREAM, ["connscope.v1"]) as socket:
        assert socket.receive_json()["t"] == "bye"
    monkeypatch.setattr(stream, "HELLO_S", 10)
    monkeypatch.setattr(stream, "SILENT_S", 0.01)
    with feed(browser) as (socket, _):
        assert socket.receive_json()["t"] == "bye"
