"""The API over HTTP: what is asked for, what comes, what is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from connscope.report.report import Name
from connscope.server.node_keys import GROUPS
from tests.unit.server.reports import NOW_NS, Machine, client, listener, server
from tests.unit.server.web import authorized, made_client, made_server, post

API = "/api/v1"
DOCUMENT = Path(__file__).parents[3] / "docs" / "api.md"


@pytest.fixture
def asker() -> Iterator[TestClient]:
    """Of a server that knows one connection of two hosts, and a listener."""
    with authorized() as somebody:
        name = Name(100, 5, "unit", "web.service")
        assert post(somebody, Machine("alpha").report(client(bytes_sent=7), names=(name,))) == 204
        assert post(somebody, Machine("beta").report(server(client()), listener())) == 204
        yield somebody


def got(asker: TestClient, path: str, **query: Any) -> Any:
    """A good answer."""
    answer = asker.get(f"{API}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_topology(asker: TestClient):
    """Nodes, the edge between them, the totals."""
    found = got(asker, "topology")
    assert {node["label"] for node in found["nodes"]} == {"curl", "nginx"}
    assert [(edge["ends"], edge["ports"]) for edge in found["edges"]] == [(2, [443])]
    assert found["totals"]["connections"] == 1
    assert found["time"] == "2001-09-09T01:46:40.000000000Z"


def test_names_of_processes_are_told(asker: TestClient):
    """What rows do not have."""
    details = [node["detail"] for node in got(asker, "topology")["nodes"]]
    assert "pid 100 · web.service" in details


@pytest.mark.parametrize("group", GROUPS)
def test_every_id_leads_to_its_node(asker: TestClient, group: str):
    """And every edge's to the edge, in every grouping."""
    found = got(asker, "topology", group=group)
    for node in found["nodes"]:
        detail = got(asker, f"nodes/{quote(node['id'], safe='')}", group=group)
        assert detail["node"] == node
        assert len(detail["inbound"]) + len(detail["outbound"]) >= 1
        assert len(detail["connections"]) == 1
    for edge in found["edges"]:
        detail = got(asker, f"edges/{quote(edge['id'], safe='')}", group=group)
        assert detail["edge"] == edge
        assert len(detail["connections"]) == 1


def test_odd_names_lead_to_their_nodes(asker: TestClient):
    """Whatever a process calls itself."""
    odd = [b"a>b:c/d", b"\xff\x1b[2J", b"process:x>y"]
    rows = [client(n, pid=n, comm=comm) for n, comm in enumerate(odd, 1)]
    assert post(asker, Machine("odd").report(*rows)) == 204
    for edge in got(asker, "topology", group="executable")["edges"]:
        path = f"edges/{quote(edge['id'], safe='')}"
        assert got(asker, path, group="executable")["edge"]["id"] == edge["id"]


def test_connections_are_those_of_list(asker: TestClient):
    """The flat object, with host, client and server; each connection once."""
    found = got(asker, "connections")
    (connection,) = found["connections"]
    assert (found["matching"], found["total"]) == (1, 1)
    assert connection["comm"] == "curl"
    assert connection["bytes_sent"] == 7
    assert connection["host"] == "alpha"
    assert connection["client"].startswith("process:alpha/")
    assert connection["server"].startswith("process:beta/")


def test_connections_of_a_node_or_edge(asker: TestClient):
    """Only those."""
    post(asker, Machine("gamma").report(client(5, peer_address="10.9.9.9", pid=9)))
    found = got(asker, "topology")
    for edge in found["edges"]:
        assert got(asker, "connections", edge=edge["id"])["matching"] == 1
    assert got(asker, "connections", node="address:10.9.9.9")["matching"] == 1


@pytest.mark.parametrize("sort", ["rate", "sent", "received", "opened", "rtt", "retransmits"])
def test_connections_are_sorted_and_limited(asker: TestClient, sort: str):
    """The greatest first."""
    great = {
        "bytes_sent": 99,
        "bytes_received": 99,
        "rtt_us": 9999,
        "retransmits": 9,
        "opened_ns": NOW_NS,
    }
    post(asker, Machine("gamma").report(client(5, pid=9), client(6, pid=9, **great)))
    found = got(asker, "connections", sort=sort, limit=1)
    assert [each["connection_id"] for each in found["connections"]] == ["6"]
    assert found["matching"] == 3


def test_listeners(asker: TestClient):
    """With clients, queue and reach."""
    (found,) = got(asker, "listeners")["listeners"]
    assert found["node"].startswith("process:beta/")
    del found["node"]
    assert found == {
        "host": "beta",
        "protocol": "tcp",
        "address": "0.0.0.0",
        "port": 443,
        "process": "nginx",
        "pid": 200,
        "uid": 1000,
        "clients": 1,
        "reach": "all",
        "queue_length": 0,
        "queue_limit": 128,
    }
    assert got(asker, "listeners", filter="port:80")["listeners"] == []


@pytest.mark.parametrize(
    ("address", "reach"),
    [
        *(("0.0.0.0", "all"), ("::", "all"), ("10.0.0.2", "private"), ("8.8.8.8", "all")),
        *(("127.0.0.1", "loopback"), ("::1", "loopback"), ("fd00::1", "private")),
    ],
)
def test_reach_of_a_listener(address: str, reach: str):
    """From where it can be connected to."""
    with authorized() as asker:
        post(asker, Machine().report(listener(local_address=address)))
        assert [each["reach"] for each in got(asker, "listeners")["listeners"]] == [reach]


def test_hosts(asker: TestClient):
    """How each is watched."""
    audit = {"ActiveOpens": {"saw": 7, "counted": 8}, "RetransSegs": {"saw": 0, "counted": 9}}
    report = Machine("gamma", "web-1").report(
        client(exact=0), audit=audit, losses={"ring": 3}, limits=("no UDP",)
    )
    post(asker, report)
    found = {host["id"]: host for host in got(asker, "hosts")["hosts"]}
    assert found["gamma"] == {
        "host": "web-1",
        "id": "gamma",
        "name": "web-1",
        "tier": "btf",
        "lost": 3,
        "missed": 0,
        "groups": dict.fromkeys(found["gamma"]["groups"], "estimated"),
        "completeness": 0.875,
        "audit": "saw 7 of 8 connections",
        "limits": ["no UDP"],
        "connections": 1,
        "listeners": 0,
        "silent_s": found["gamma"]["silent_s"],
        "last_seen_at": found["gamma"]["last_seen_at"],
    }
    assert set(found["alpha"]["groups"].values()) == {"exact"}
    assert "completeness" not in found["alpha"]


def test_hosts_of_one_name_are_told_apart():
    """By their ids."""
    with authorized() as asker:
        for host_id in ("1111", "2222"):
            post(asker, Machine(host_id, "web").report(client()))
        nodes = got(asker, "topology", group="host")["nodes"]
        assert {node["label"] for node in nodes} == {"web 1111", "web 2222", "10.0.0.2"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("topology?group=color", 400),
        ("topology?limit=0", 400),
        ("topology?limit=99999999999999999999", 400),
        ("topology?limit=²", 400),
        ("topology?metric=beauty", 400),
        ("topology?window_s=16", 400),
        ("topology?filter=port:", 400),
        ("topology?filter=" + "x" * 5000, 400),
        ("connections?sort=beauty", 400),
        ("connections?limit=10001", 400),
        ("connections?node=process:a", 400),
        ("connections?node=address:1.2.3.4", 404),
        ("connections?edge=x", 404),
        ("nodes/x", 400),
        ("nodes/process:nobody%2Fb%2F1%2F2", 400),
        ("nodes/process:alpha%2Fb%2F99999999999999999999999%2F2", 400),
        ("nodes/process:alpha%2Fb%2F-1%2F2", 400),
        ("nodes/process:alpha%2Fb%2F1%2F2", 404),
        ("nodes/cidr:nonsense", 400),
        ("edges/x", 404),
        ("edges/address:1.2.3.4%3Eaddress:1.2.3.5", 404),
        ("nothing", 404),
    ],
)
def test_what_can_not_be_had(asker: TestClient, path: str, status: int):
    """A sentence that says why, never a trace."""
    answer = asker.get(f"{API}/{path}")
    assert answer.status_code == status
    assert answer.json()["error"]


def test_a_wrong_filter_says_where(asker: TestClient):
    """For the box that it was typed into."""
    answer = asker.get(f"{API}/topology", params={"filter": "proc:x port:"}).json()
    assert answer["position"] == 12


def test_metrics_are_prometheus_text(asker: TestClient):
    """Every line is a comment or a sample."""
    asker.post(f"{API}/reports", content=b"x")
    text = asker.get("/metrics").text
    assert 'connscope_server_reports_total{outcome="taken"} 2' in text
    assert 'connscope_server_reports_total{outcome="invalid"} 1' in text
    assert "connscope_server_hosts 2" in text
    sample = re.compile(r'connscope_server_\w+({\w+="[^"]*"})? [0-9.e+-]+')
    assert all(line[0] == "#" or sample.fullmatch(line) for line in text.splitlines())


def test_openapi_is_of_the_documented_routes(asker: TestClient):
    """Each path and each schema's keys stand in docs/api.md too."""
    found, page = got(asker, "openapi.json"), DOCUMENT.read_text(encoding="utf-8")
    assert found["openapi"] == "3.1.0"
    for path, methods in found["paths"].items():
        name = path.strip("/").replace("{id}", "ID")
        assert any(f"`{method.upper()} {name}" in page for method in methods), path
    for name, schema in found["components"]["schemas"].items():
        for key in schema["properties"]:
            assert f"`{key}`" in page or f'"{key}"' in page, f"{name}.{key}"


def test_answers_have_the_keys_of_openapi(asker: TestClient):
    """And no others."""
    schemas = got(asker, "openapi.json")["components"]["schemas"]
    topology = got(asker, "topology")
    for name, objects in (
        ("Node", topology["nodes"]),
        ("Edge", topology["edges"]),
        ("Totals", [topology["totals"]]),
        ("Host", got(asker, "hosts")["hosts"]),
        ("Listener", got(asker, "listeners")["listeners"]),
    ):
        for each in objects:
            assert each.keys() <= schemas[name]["properties"].keys()


def test_pages_are_kept_by_their_names(tmp_path: Path):
    """Those with a hash for ever, the page itself not at all; nothing else is there."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>")
    (tmp_path / "assets" / "app-Ab12_cd9.js").write_text("1")
    (tmp_path / "secret.pem").write_text("secret")
    anyone = made_client(made_server(), tmp_path)
    page, script = anyone.get("/"), anyone.get("/assets/app-Ab12_cd9.js")
    assert page.headers["cache-control"] == "no-cache"
    assert "immutable" in script.headers["cache-control"]
    assert script.headers["content-type"].startswith("text/javascript")
    for path in ("/secret.pem", "/../secret.pem", "/assets/%2e%2e/secret.pem", "/assets/"):
        assert anyone.get(path).status_code == 404


def test_without_pages_there_is_a_hint(tmp_path: Path):
    """A checkout in which nobody has built them."""
    answer = made_client(made_server(), tmp_path / "none").get("/")
    assert answer.status_code == 404
    assert "/api/v1/" in answer.text


def test_errors_are_json(asker: TestClient):
    """A method that there is not."""
    answer = asker.delete(f"{API}/hosts")
    assert answer.status_code == 405
    assert "error" in json.loads(answer.text)
