"""What a viewer is told comes to what is, whatever it missed."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from connscope.server.answers import edge_objects, host_objects, node_objects, totals_object
from connscope.server.feed import Feed
from connscope.server.live import Live
from connscope.server.sight import ViewOptions
from connscope.server.topology import ACTIVITY, HEALTH
from tests.unit.server.histories import ACTIONS, History
from tests.unit.server.reports import WALL_NS, Machine, client, live, told

NODE_METRICS = ("open", "opened", "closed", "failed", "sent_bps", "received_bps", "problems")
EDGE_METRICS = (
    *("open", "opened", "closed", "failed", "sent_bps", "received_bps"),
    *("retransmits", "segments", "rtt_us", "health", "activity"),
)


class Page:
    """A viewer, as docs/api.md describes it: written from the document, not from the server."""

    def __init__(self) -> None:
        self.strings: dict[int, str] = {}
        self.rows: dict[str, dict[int, list[Any]]] = {}
        self.totals: dict[str, Any] = {}
        self.hosts: list[dict[str, Any]] = []

    def take(self, message: dict[str, Any]) -> None:
        """A snapshot or a delta."""
        if message["t"] == "snapshot":
            self.rows = {}
        self.strings |= dict(message["strings"])
        for name in ("nodes", "edges", "node_metrics", "edge_metrics"):
            self.rows.setdefault(name, {}).update({row[0]: row for row in message[name]})
        for gone, kinds in (
            ("nodes_gone", ("nodes", "node_metrics")),
            ("edges_gone", ("edges", "edge_metrics")),
        ):
            for kind in kinds:
                for number in message.get(gone, ()):
                    self.rows[kind].pop(number, None)
        self.totals, self.hosts = message["totals"], message.get("hosts", self.hosts)

    def nodes(self) -> list[dict[str, Any]]:
        """As the API has them."""
        text = self.strings
        return [
            {
                "id": text[row[1]],
                "label": text[row[3]],
                "box": text[row[6]],
                "outside": bool(row[7]),
                "listeners": [
                    [text[protocol], text[address], *rest] for protocol, address, *rest in row[8]
                ],
                **dict(zip(NODE_METRICS, self.rows["node_metrics"][number][1:], strict=True)),
            }
            for number, row in self.rows["nodes"].items()
        ]

    def edges(self) -> list[dict[str, Any]]:
        """As the API has them."""
        found = []
        for number, (_, name, source, target, known, ends, ports) in self.rows["edges"].items():
            *values, reasons = self.rows["edge_metrics"][number][1:]
            edge = dict(zip(EDGE_METRICS, values, strict=True))
            edge |= {"id": self.strings[name], "role_known": bool(known), "ends": ends}
            edge |= {"source": self.id_of(source), "target": self.id_of(target), "ports": ports}
            edge["health"] = HEALTH[edge["health"]]
            edge["activity"] = ACTIVITY[edge["activity"]]
            edge["reasons"] = "" if reasons == -1 else self.strings[reasons]
            found.append(edge)
        return found

    def id_of(self, node: int) -> str:
        """Of a node's number."""
        return self.strings[self.rows["nodes"][node][1]]


def message(feed: Feed, known: Live, at_s: float, **options: Any) -> dict[str, Any]:
    """What a feed says now."""
    sight = known.sight(ViewOptions(**options), at_s, WALL_NS)
    return feed.message(sight, totals_object(known, sight), host_objects(known, at_s), 5)


def assert_is_the_topology(page: Page, known: Live, at_s: float, **options: Any) -> None:
    """The page has what the API answers."""
    sight = known.sight(ViewOptions(**options), at_s, WALL_NS)
    nodes = [
        {name: node[name] for name in ("id", "label", "box", "outside", *NODE_METRICS)}
        | {"listeners": [list(each.values()) for each in node["listeners"]]}
        for node in node_objects(sight)
    ]
    edges = []
    for edge in edge_objects(sight):
        kept = {name: edge.get(name, 0) for name in EDGE_METRICS}
        for name in ("id", "role_known", "ends", "source", "target", "ports"):
            kept[name] = edge[name]
        ordered = sorted(edge["reasons"].items(), key=lambda item: (-item[1], item[0]))
        kept["reasons"] = ", ".join(f"{name} ×{count}" for name, count in ordered)
        edges.append(kept)
    assert sorted(page.nodes(), key=by_id) == sorted(nodes, key=by_id)
    assert sorted(page.edges(), key=by_id) == sorted(edges, key=by_id)
    assert page.totals == totals_object(known, sight)


def by_id(each: dict[str, Any]) -> str:
    """To compare sets of objects."""
    return str(each["id"])


@given(ACTIONS, st.sets(st.integers(0, 40)), st.sampled_from([2, 300]))
def test_snapshot_and_deltas_are_the_topology(
    actions: list[tuple[str, int, int, bool]], told_at: set[int], limit: int
):
    """After any history, of which the viewer was told at any times: a slow one at few."""
    known, feed, page, at_s = live(), Feed(), Page(), 100.0
    for place, (at_s, report) in enumerate(History().play(actions)):
        known.take(report, at_s, WALL_NS)
        if place in told_at:
            page.take(message(feed, known, at_s, limit=limit))
    page.take(message(feed, known, at_s + 1, limit=limit))
    assert_is_the_topology(page, known, at_s + 1, limit=limit)


@given(ACTIONS)
def test_a_changed_view_keeps_the_numbers(actions: list[tuple[str, int, int, bool]]):
    """Nodes of one id have one number, in every view of an epoch."""
    known, feed, page, at_s = live(), Feed(), Page(), 100.0
    for at_s, report in History().play(actions):
        known.take(report, at_s, WALL_NS)
    page.take(message(feed, known, at_s))
    numbers = {page.id_of(number): number for number in page.rows["nodes"]}
    page.take(message(feed, known, at_s, filter="proc:worker"))
    assert_is_the_topology(page, known, at_s, filter="proc:worker")
    page.take(message(feed, known, at_s))
    assert numbers == {page.id_of(number): number for number in page.rows["nodes"]}


def test_nothing_new_is_an_empty_delta():
    """What did not change is not told again."""
    known, feed = told(Machine().report(client())), Feed()
    message(feed, known, 100.5)
    delta = message(feed, known, 101.5)
    assert (delta["t"], delta["sequence"]) == ("delta", 2)
    rows = ("strings", "nodes", "edges", "node_metrics", "edge_metrics", "nodes_gone", "edges_gone")
    assert [delta[name] for name in rows] == [[]] * len(rows)
    assert "hosts" not in delta


def test_only_metrics_change_when_bytes_move():
    """Structure and metrics travel apart."""
    machine, row, feed = Machine(), client(), Feed()
    known = told(machine.report(row))
    message(feed, known, 100.5)
    row["bytes_sent"] = 15_000
    known.take(machine.report(row), 101.0, WALL_NS)
    delta = message(feed, known, 102.0)
    assert (delta["nodes"], delta["edges"], delta["strings"]) == ([], [], [])
    assert len(delta["node_metrics"]) == 2
    assert len(delta["edge_metrics"]) == 1


def test_a_silent_host_is_told_now_and_then():
    """Not each second, but before somebody asks."""
    known, feed = told(Machine().report(client())), Feed()
    message(feed, known, 100.5)
    assert "hosts" not in message(feed, known, 102.0)
    assert message(feed, known, 111.0)["hosts"][0]["silent_s"] == 11.0


def test_host_that_catches_up_is_told_in_steps():
    """That it does, and that it does no more; not with every report of what waited."""
    machine, feed = Machine(), Feed()
    known = told(machine.report(client()))
    message(feed, known, 100.0)
    told_s = list[float | None]()
    for age_s in (39, 38, 37, 18):
        known.take(machine.report(), 100.0, WALL_NS, age_s)
        hosts = message(feed, known, 100.0).get("hosts")
        told_s.append(hosts[0]["behind_s"] if hosts else None)
    assert told_s == [39, None, None, 18]
    known.take(machine.report(full=True), 100.0, WALL_NS)
    assert "behind_s" not in message(feed, known, 100.0)["hosts"][0]


def test_numbers_run_out():
    """A viewer that stays for ever does not fill our memory."""
    feed = Feed()
    assert not feed.is_full
    feed._strings._numbers = dict.fromkeys(map(str, range(500_001)), 0)
    assert feed.is_full
