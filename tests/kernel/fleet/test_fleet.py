"""Machines that talk to each other, each with an agent, and one server: on the real kernel."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.kernel.fleet.fleet import TOKEN, Fleet
from tests.kernel.fleet.machines import Machines, talk
from tests.traffic.namespace import nft
from tests.traffic.network import connect_between
from tests.traffic.party import Party
from tests.traffic.translations import PORT, Street, street


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    with Fleet() as made:
        yield made


@pytest.fixture
def machines() -> Iterator[Machines]:
    with Machines() as made:
        yield made


def start_agents(fleet: Fleet, machines: Machines) -> None:
    """Both machines have their agents."""
    fleet.agent("alpha", machines.left.inode)
    fleet.agent("beta", machines.right.inode)


def seen_once(fleet: Fleet, client: Party) -> None:
    """Waits until there is one edge, of one connection, seen from both ends, and it has what the
    application counted."""

    def is_there() -> bool:
        edges = fleet.edges()
        assert len(edges) == 1
        names = ("source", "target", "ends", "open", "bytes_sent", "bytes_received")
        told = tuple(edges[0][name] for name in names)
        assert told == ("host:alpha", "host:beta", 2, 1, client.sent, client.received)
        return True

    fleet.until(is_there)


def ids(fleet: Fleet) -> set[str]:
    """Of all connections."""
    return {each["connection_id"] for each in fleet.get("connections")["connections"]}


def test_connection_of_two_machines_is_one_edge(fleet: Fleet, machines: Machines):
    """Seen from both ends, and its bytes once: as many as the application counted."""
    start_agents(fleet, machines)
    client, server = machines.connect()
    talk(client, server)
    seen_once(fleet, client)
    assert fleet.get("topology")["totals"]["connections"] == 1


@pytest.mark.parametrize("way", ["snat", "dnat"])
def test_translated_connection_is_one_edge(fleet: Fleet, way: str):
    """The ends do not agree on their addresses, but on their sequence numbers."""
    with street() as hosts:
        fleet.agent("alpha", hosts.client.inode)
        fleet.agent("beta", hosts.server.inode)
        client, server = translated(hosts, way)
        with client.socket, server.socket:
            assert (client.local, client.peer) != (server.peer, server.local)
            talk(client, server)
            seen_once(fleet, client)


def translated(hosts: Street, way: str) -> tuple[Party, Party]:
    """A connection through a router that changes its addresses."""
    dialled = None
    with hosts.router:
        if way == "snat":
            nft("nat", "postrouting", "masquerade")
        else:
            nft("nat", "prerouting", f"tcp dport {PORT} dnat to {hosts.server_address}")
            dialled = (hosts.router_address, PORT)
    return connect_between(hosts.client, hosts.server, hosts.server_address, dialled)


def test_killed_agent_comes_back(fleet: Fleet, machines: Machines):
    """The connection has the same id, nothing opened anew, and bytes that moved meanwhile are
    there once."""
    alpha = fleet.agent("alpha", machines.left.inode)
    fleet.agent("beta", machines.right.inode)
    client, server = machines.connect()
    talk(client, server)
    seen_once(fleet, client)
    before, opened = ids(fleet), fleet.edges()[0]["opened"]
    alpha.kill()
    talk(client, server)
    alpha.start()
    seen_once(fleet, client)
    fleet.until_heard()
    assert ids(fleet) == before
    assert fleet.edges()[0]["opened"] == opened == 1


def test_silent_host_is_shown(fleet: Fleet, machines: Machines):
    """Its connections are still there, and how long nothing was heard of it."""
    alpha = fleet.agent("alpha", machines.left.inode)
    fleet.agent("beta", machines.right.inode)
    client, _ = machines.connect()
    seen_once(fleet, client)
    alpha.kill()
    fleet.until(lambda: fleet.host("alpha")["silent_s"] > 2)
    assert fleet.host("beta")["silent_s"] < 2
    seen_once(fleet, client)


def test_what_ended_while_an_agent_was_dead_is_gone(fleet: Fleet, machines: Machines):
    """Nobody saw how, and nobody says that it is open."""
    alpha = fleet.agent("alpha", machines.left.inode)
    client, _ = machines.connect()
    fleet.until(lambda: fleet.host("alpha")["connections"] == 1)
    alpha.kill()
    client.socket.close()
    alpha.start()
    fleet.until(lambda: fleet.host("alpha")["connections"] == 0)


def test_killed_server_comes_back(fleet: Fleet, machines: Machines):
    """It gets what waited: each connection that ended meanwhile once, and what is open."""
    agents = (fleet.agent("alpha", machines.left.inode), fleet.agent("beta", machines.right.inode))
    client, server = machines.connect()
    seen_once(fleet, client)
    fleet.kill_server()
    talk(client, server)
    for _ in range(10):
        for party in machines.connect():
            party.socket.close()
    for agent in agents:
        fleet.until_kept(agent)
    fleet.start_server()
    for agent in agents:
        fleet.until_taken(agent)
    fleet.until_heard()
    (edge,) = fleet.edges()
    told = (edge["ends"], edge["open"], edge["opened"], edge["closed"])
    assert told == (2, 1, 11, 10)
    assert edge["bytes_sent"] == client.sent


def test_what_waited_is_not_shown_as_current(machines: Machines):
    """The server was away for longer than its window: what came and went meanwhile is never open,
    and nothing that waited is asked for again."""
    with Fleet(window_s=2) as fleet:
        alpha = fleet.agent("alpha", machines.left.inode)
        machines.connect()
        fleet.until(lambda: fleet.host("alpha")["connections"] == 1)
        fleet.kill_server()
        passing = machines.connect()
        fleet.until_kept(alpha)
        for party in passing:
            party.socket.close()
        fleet.until_kept(alpha, 25)
        fleet.start_server()
        shown = list[int]()

        def is_current() -> bool:
            host = fleet.host("alpha")
            shown.append(host["connections"])
            return "behind_s" not in host and shown[-1] > 0

        fleet.until(is_current)
        outcomes = fleet.outcomes()
        assert set(shown) <= {0, 1}
        assert outcomes["taken"] >= 10
        assert outcomes["too_often"] == 0


def feed(fleet: Fleet) -> ClientConnection:
    """Somebody who looks on."""
    return connect(
        f"ws://127.0.0.1:{fleet.server.port}/api/v1/stream",
        subprotocols=[Subprotocol("connscope.v1")],
        additional_headers={"authorization": f"Bearer {TOKEN}"},
    )


def say(viewer: ClientConnection, **message: Any) -> None:
    """One message."""
    viewer.send(json.dumps(message))


def heard(viewer: ClientConnection) -> Any:
    """The next message."""
    return json.loads(viewer.recv(timeout=20))


def test_viewer_that_was_cut_off_goes_on(fleet: Fleet, machines: Machines):
    """With the next message of the same epoch, after its network was gone."""
    start_agents(fleet, machines)
    client, _ = machines.connect()
    seen_once(fleet, client)
    with feed(fleet) as viewer:
        say(viewer, t="hello", protocol=1)
        epoch = heard(viewer)["epoch"]
        say(viewer, t="subscribe", view={"group": "host"}, interval_s=0.25)
        snapshot = heard(viewer)
        say(viewer, t="ack", sequence=snapshot["sequence"])
        viewer.socket.shutdown(socket.SHUT_RDWR)
    with feed(fleet) as again:
        resume = {"epoch": epoch, "sequence": snapshot["sequence"]}
        say(again, t="hello", protocol=1, resume=resume)
        assert heard(again)["epoch"] == epoch
        say(again, t="subscribe", view={"group": "host"}, interval_s=0.25)
        message = heard(again)
        assert (message["t"], message["sequence"]) == ("delta", snapshot["sequence"] + 1)


def test_slow_viewer_gets_the_newest(fleet: Fleet, machines: Machines):
    """One message for all that moved while it took nothing in."""
    start_agents(fleet, machines)
    client, _ = machines.connect()
    seen_once(fleet, client)
    with feed(fleet) as viewer:
        say(viewer, t="hello", protocol=1)
        heard(viewer)
        say(viewer, t="subscribe", view={"group": "host"}, interval_s=0.25)
        snapshot = heard(viewer)
        for _ in range(3):
            machines.connect()
        fleet.until(lambda: fleet.edges()[0]["open"] == 4)
        with pytest.raises(TimeoutError):
            viewer.recv(timeout=1)
        say(viewer, t="ack", sequence=snapshot["sequence"])
        delta = heard(viewer)
        assert [row[1] for row in delta["edge_metrics"]] == [4]
