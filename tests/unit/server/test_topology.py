"""Sums of a topology: nothing is counted twice, and nothing is left out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connscope.errors import UsageError
from connscope.filter import FilterError
from connscope.server.answers import edge_objects, node_objects, topology_object
from connscope.server.live import Live
from connscope.server.node_keys import GROUPS
from connscope.server.sight import Sight, ViewOptions
from connscope.server.topology import METRICS
from tests.unit.server.histories import ACTIONS, History
from tests.unit.server.reports import (
    NOW_NS,
    WALL_NS,
    Machine,
    client,
    closed,
    listener,
    live,
    refused,
    server,
    told,
)

SHARED = ("open", "sent_bps", "received_bps")


def seen(known: Live, at_s: float = 100.5, **options: Any) -> Sight:
    """The topology of a view."""
    return known.sight(ViewOptions(**options), at_s, WALL_NS)


def labels(sight: Sight) -> set[str]:
    """Of the nodes that are shown."""
    return {node.label for node in sight.nodes}


def moving(seconds: int = 1) -> Live:
    """One connection of two hosts that sent 30,000 bytes after the first reports."""
    alpha, beta = Machine("alpha"), Machine("beta")
    one, other = client(), server(client())
    known = told(alpha.report(one), beta.report(other))
    one["bytes_sent"], other["bytes_received"] = 30_000, 30_000
    for machine, row in ((alpha, one), (beta, other)):
        known.take(machine.report(row), 100.0 + seconds, WALL_NS)
    return known


def test_both_ends_are_one_edge():
    """Two agents see it: one edge, one connection, from both ends."""
    (edge,) = edge_objects(
        seen(told(Machine("a").report(client()), Machine("b").report(server(client()))))
    )
    assert (edge["open"], edge["ends"]) == (1, 2)


def test_one_end_is_one_edge():
    """No agent at the server: its address is the node, and the edge says from how many ends."""
    sight = seen(told(Machine().report(client())))
    (edge,) = edge_objects(sight)
    assert (edge["open"], edge["ends"]) == (1, 1)
    assert {(node.label, node.outside) for node in sight.nodes} == {
        ("curl", False),
        ("10.0.0.2", True),
    }


def test_bytes_are_counted_once():
    """Both ends counted 30,000 bytes in 15 s: 2,000 a second, from the client to the server."""
    (edge,) = edge_objects(seen(moving(15), 115.5))
    assert (edge["sent_bps"], edge["received_bps"]) == (2000, 0)


def test_lifetime_bytes_are_counted_once():
    """The edge's counters are those of one end."""
    (edge,) = edge_objects(seen(moving(), 101.5))
    assert (edge["bytes_sent"], edge["bytes_received"]) == (30_000, 0)


def test_rate_is_over_what_was_watched():
    """After three seconds, bytes are divided by three seconds."""
    (edge,) = edge_objects(seen(moving(3), 103.0))
    assert edge["sent_bps"] == 10_000


def test_rate_is_nothing_after_the_window():
    """What moved long ago moves no more."""
    assert edge_objects(seen(moving(), 120.0))[0]["sent_bps"] == 0


def test_an_edge_goes_from_the_client():
    """Whichever end reports."""
    (edge,) = edge_objects(seen(told(Machine().report(server(client())))))
    assert edge["target"].startswith("process:")
    assert edge["ports"] == [443]


def test_an_unknown_role_is_said():
    """The lower port is taken for the server's, and the edge says that it is a guess."""
    (edge,) = edge_objects(seen(told(Machine().report(client(role=0)))))
    assert (edge["role_known"], edge["ports"]) == (False, [443])


def test_what_closed_is_shown_for_a_window():
    """Then it is gone."""
    machine = Machine()
    known = told(machine.report(client()))
    known.take(machine.report(ended=[closed(client())]), 101.0, WALL_NS)
    (edge,) = edge_objects(seen(known, 102.0))
    assert (edge["open"], edge["closed"], edge["activity"]) == (0, 1, "closed")
    assert edge_objects(seen(known, 117.0)) == []


def test_what_opens_and_closes_between_two_reports_counts():
    """It was never open when somebody looked."""
    machine = Machine()
    known = told(machine.report())
    short = closed(client(opened_ns=NOW_NS, bytes_sent=1500))
    known.take(machine.report(ended=[short]), 101.0, WALL_NS)
    (edge,) = edge_objects(seen(known, 115.0))
    assert (edge["opened"], edge["closed"], edge["sent_bps"]) == (1, 1, 100)


def test_refusals_have_their_reason():
    """Connects that failed make an edge that fails."""
    machine = Machine()
    known = told(machine.report(), machine.report(ended=[refused(1), refused(2)]))
    (edge,) = edge_objects(seen(known))
    assert (edge["failed"], edge["reasons"], edge["health"]) == (2, {"refused": 2}, "failing")


def test_retransmits_degrade():
    """More than one segment in fifty was sent again."""
    machine, row = Machine(), client()
    known = told(machine.report(row))
    row["segments_sent"], row["retransmits"] = 100, 5
    known.take(machine.report(row), 101.0, WALL_NS)
    (edge,) = edge_objects(seen(known, 102.0))
    assert (edge["health"], edge["retransmits"], edge["segments"]) == ("degraded", 5, 100)


def test_rtt_is_the_median():
    """Of the connections of an edge."""
    rows = [client(number, rtt_us=rtt) for number, rtt in ((1, 100), (2, 300), (3, 90_000))]
    assert edge_objects(seen(told(Machine().report(*rows))))[0]["rtt_us"] == 300


def test_the_rest_is_counted():
    """Two nodes of four are shown; the others are a number."""
    rows = [client(number, pid=100 + number, comm=b"p%d" % number) for number in range(1, 4)]
    totals = seen(told(Machine().report(*rows)), limit=2).topology.totals
    assert (totals["nodes"], totals["shown_nodes"]) == (4, 2)
    assert totals["others"]["nodes"] == 2
    assert totals["others"]["edges"] + totals["shown_edges"] == 3


def test_a_filter_holds_for_either_end():
    """The server's process is named; the client's end is that of the connection."""
    known = told(Machine("a").report(client()), Machine("b").report(server(client())))
    assert labels(seen(known, filter="proc:nginx")) == {"curl", "nginx"}
    assert labels(seen(known, filter="proc:sshd")) == set()


def test_a_filter_of_age_goes_with_the_clock_of_the_host():
    """An hour old when its host looked."""
    known = told(Machine().report(client()))
    assert labels(seen(known, filter="age>59min"))
    assert not labels(seen(known, filter="age>61min"))


def test_a_wrong_filter_is_an_error():
    """And changes nothing."""
    with pytest.raises(FilterError):
        seen(told(Machine().report(client())), filter="port:")


@pytest.mark.parametrize(
    ("group", "wanted"),
    [
        ("process", {"curl", "nginx"}),
        ("executable", {"curl", "nginx"}),
        ("host", {"a", "b"}),
        ("user", {"user 1000"}),
        ("namespace", {"namespace 4026531840"}),
        ("port", {"curl", "tcp/443"}),
        ("address", {"10.0.0.1", "10.0.0.2"}),
        ("cidr", {"10.0.0.0/24"}),
    ],
)
def test_groupings(group: str, wanted: set[str]):
    """What the nodes of each grouping are."""
    known = told(Machine("a").report(client()), Machine("b").report(server(client())))
    assert labels(seen(known, group=group)) == wanted


def test_loopback_of_two_hosts_is_two_nodes():
    """127.0.0.1 of one machine is not that of another."""
    row = client(local_address="127.0.0.1", peer_address="127.0.0.1")
    known = told(Machine("a").report(row), Machine("b").report(row))
    assert len({node.id for node in seen(known, group="address").nodes}) == 2


def test_an_unattributed_connection_is_shown():
    """Nobody is known to own it."""
    assert "unattributed" in labels(seen(told(Machine().report(client(pid=0, comm=b"")))))


def test_listeners_stand_at_their_node():
    """With the clients that they have."""
    machine = Machine()
    known = told(machine.report(server(client()), listener()))
    node = next(node for node in node_objects(seen(known)) if node["label"] == "nginx")
    assert node["listeners"] == [
        {"protocol": "tcp", "address": "0.0.0.0", "port": 443, "clients": 1}
    ]


def test_clients_belong_to_the_listener_of_their_address():
    """The wildcard's are the others."""
    own = listener(801, local_address="10.0.0.2")
    other = server(client(2), local_address=client(local_address="10.9.9.9")["local_address"])
    known = told(Machine().report(server(client()), other, listener(), own))
    node = next(node for node in node_objects(seen(known)) if node["label"] == "nginx")
    assert {each["address"]: each["clients"] for each in node["listeners"]} == {
        "0.0.0.0": 1,
        "10.0.0.2": 1,
    }


def test_nothing_is_explained():
    """No host, or a filter that hides everything."""
    assert "agent" in topology_object(live(), seen(live()))["totals"]["empty"]
    known = told(Machine().report(client()))
    hidden = topology_object(known, seen(known, filter="proc:sshd"))["totals"]["empty"]
    assert hidden == "The filter hides 1 of 1 connections."


def test_a_reboot_forgets_what_was_open():
    """Ids of two boots have nothing to do with each other."""
    machine = Machine()
    known = told(machine.report(client(1), client(2)))
    machine.boot = "11111111-1111-4111-8111-111111111111"
    known.take(machine.report(client(1), full=True), 101.0, WALL_NS)
    assert seen(known, 102.0).topology.totals["connections"] == 1


def test_a_silent_host_is_forgotten():
    """After a time; it may come again with a full report."""
    machine = Machine()
    known = told(machine.report(client()))
    known.advance(500.0)
    assert seen(known, 520.0).topology.totals["connections"] == 0
    assert known.take(machine.report(client()), 521.0, WALL_NS).name == "GAP"


def test_too_many_hosts_are_refused():
    """A sender can not fill our memory with names."""
    known = live()
    for number in range(100):
        known.take(Machine(f"h{number}").report(), 100.0, WALL_NS)
    with pytest.raises(UsageError, match="100 hosts"):
        known.take(Machine("one-more").report(), 100.0, WALL_NS)


@given(ACTIONS, st.sampled_from(sorted(GROUPS)), st.integers(1, 6), st.sampled_from(METRICS))
def test_shown_and_others_are_the_totals(
    actions: list[tuple[str, int, int, bool]], group: str, limit: int, metric: str
):
    """Exactly, in any history."""
    known, at_s = live(), 100.0
    for at_s, report in History().play(actions):
        known.take(report, at_s, WALL_NS)
    sight = seen(known, at_s, group=group, limit=limit, metric=metric)
    totals, edges = sight.topology.totals, edge_objects(sight)
    for name in SHARED:
        everything = totals["connections" if name == "open" else name]
        others = totals["others"]["connections" if name == "open" else name]
        assert sum(edge[name] for edge in edges) + others == everything
    assert len(edges) + totals["others"]["edges"] == totals["edges"]
    assert len(sight.nodes) + totals["others"]["nodes"] == totals["nodes"]


@given(ACTIONS, st.sampled_from(sorted(GROUPS)))
def test_nodes_have_what_their_edges_have(actions: list[tuple[str, int, int, bool]], group: str):
    """An edge to itself counts once; what goes out at one end comes in at the other."""
    known, at_s = live(), 100.0
    for at_s, report in History().play(actions):
        known.take(report, at_s, WALL_NS)
    sight = seen(known, at_s, group=group)
    edges = edge_objects(sight)
    for node in node_objects(sight):
        mine = [edge for edge in edges if node["id"] in (edge["source"], edge["target"])]
        for name in ("open", "opened", "closed", "failed"):
            assert node[name] == sum(edge[name] for edge in mine)
    sent = sum(node["sent_bps"] for node in node_objects(sight))
    assert sent == sum(edge["sent_bps"] + edge["received_bps"] for edge in edges)


@given(ACTIONS, st.sampled_from(sorted(GROUPS)), st.lists(st.integers(0, 80), max_size=4))
def test_kept_up_is_what_it_would_be_anew(
    actions: list[tuple[str, int, int, bool]], group: str, looks: list[int]
):
    """Looking between the reports changes nothing of what comes out in the end."""
    looked, fresh, at_s = live(), live(), 100.0
    for place, (at_s, report) in enumerate(History().play(actions)):
        looked.take(report, at_s, WALL_NS)
        fresh.take(report, at_s, WALL_NS)
        if place in looks:
            seen(looked, at_s, group=group, filter="port:441")
            looked.listeners.now()
    for text in ("", "port:441"):
        one, other = (seen(known, at_s + 1, group=group, filter=text) for known in (looked, fresh))
        assert sorted(map(repr, edge_objects(one))) == sorted(map(repr, edge_objects(other)))
        assert sorted(map(repr, node_objects(one))) == sorted(map(repr, node_objects(other)))
